{{/* What the sentry's and the operator's Deployments have in common. All take a dict of root, part and name. */}}

{{/* A new replica serves before an old one leaves, so that webhook and CA are never without one. */}}
{{- define "invoke.strategy" -}}
replicas: {{ include "invoke.replicas" . }}
revisionHistoryLimit: 3
strategy:
  type: RollingUpdate
  rollingUpdate: { maxUnavailable: 0, maxSurge: 1 }
selector:
  matchLabels:
    {{- include "invoke.selector" . | nindent 4 }}
{{- end }}

{{- define "invoke.podMetadata" -}}
{{- $values := index .root.Values .part -}}
labels:
  {{- include "invoke.podLabels" . | nindent 2 }}
  {{- with $values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with $values.podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "invoke.podSpec" -}}
{{- $values := index .root.Values .part -}}
serviceAccountName: {{ .name }}
# Kubernetes would set INVOKE_SENTRY_PORT and its like, for Services that happen to be there.
enableServiceLinks: false
{{- with .root.Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
terminationGracePeriodSeconds: 30
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: { type: RuntimeDefault }
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- include "invoke.spread" . }}
{{- end }}

{{/* Softly: a cluster of one node takes three replicas, too. */}}
{{- define "invoke.spread" -}}
{{- $own := (index .root.Values .part).topologySpreadConstraints -}}
{{- if $own }}
topologySpreadConstraints:
  {{- toYaml $own | nindent 2 }}
{{- else if gt (include "invoke.replicas" . | int) 1 }}
topologySpreadConstraints:
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "invoke.selector" $ | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end }}
{{- end }}

{{/* Its Service leaves it out before it stops listening: endpoints take a moment to reach every node. */}}
{{- define "invoke.container" -}}
image: {{ include "invoke.image" . }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
lifecycle:
  preStop:
    sleep: { seconds: 5 }
resources:
  {{- toYaml (index .root.Values .part).resources | nindent 2 }}
{{- end }}

{{/* Environment that both programs read. */}}
{{- define "invoke.env" -}}
- name: INVOKE_NAMESPACE
  valueFrom: { fieldRef: { fieldPath: metadata.namespace } }
- name: POD_NAME
  valueFrom: { fieldRef: { fieldPath: metadata.name } }
- name: INVOKE_TRUST_DOMAIN
  value: {{ .root.Values.trustDomain | quote }}
- name: INVOKE_LOG_LEVEL
  value: {{ .root.Values.log.level }}
- name: INVOKE_LOG_FORMAT
  value: {{ .root.Values.log.format }}
{{- end }}
