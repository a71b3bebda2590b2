// One short example of each kind, for docs/resources.md.

export const RESOURCE_EXAMPLES: Readonly<Record<string, string>> = {
  AccessPolicy: `
apiVersion: invoke.io/v1alpha1
kind: AccessPolicy
metadata:
  name: orders
  namespace: shop
spec:
  apps: [orders]
  rules:
    - name: web-reads
      from: [{ app: web, namespace: front }]
      to: [{ methods: [GET], paths: ['/orders', '/orders/{id}'] }]
    - name: jobs-may-do-anything
      from: [{ app: 'job-*' }]
`,
  Resiliency: `
apiVersion: invoke.io/v1alpha1
kind: Resiliency
metadata:
  name: orders
  namespace: front
spec:
  policies:
    timeouts:
      short: 2s
    retries:
      thrice: { policy: exponential, maxInterval: 5s, maxRetries: 3 }
  targets:
    apps:
      orders.shop:
        timeout: short
        retry: thrice
`,
  HTTPEndpoint: `
apiVersion: invoke.io/v1alpha1
kind: HTTPEndpoint
metadata:
  name: payments
  namespace: shop
spec:
  baseUrl: https://bank.example/v3
  headers:
    - name: authorization
      secretKeyRef: { name: bank, key: token }
  clientTLS:
    rootCA:
      secretKeyRef: { name: bank, key: ca.crt }
  scopes: [shop]
`,
  NamespacePolicy: `
apiVersion: invoke.io/v1alpha1
kind: NamespacePolicy
metadata:
  name: shop
spec:
  identities:
    - appId: payments
      serviceAccounts: [payments]
  allowedAnnotations: [env]
  externalHosts: [api.example.com, '*.corp.example:8443']
  sidecar:
    logLevel: warn
    resources:
      requests: { cpu: 50m, memory: 64Mi }
      limits: { memory: 256Mi }
`,
};
