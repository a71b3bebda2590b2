{{/* Labels of every object. This and what follows take a dict of root (the chart's top), part and name. */}}
{{- define "invoke.labels" -}}
{{ include "invoke.podLabels" . }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Labels of pods: without the versions, so that a chart that changes nothing about them replaces none. */}}
{{- define "invoke.podLabels" -}}
{{ include "invoke.selector" . }}
app.kubernetes.io/part-of: invoke
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Labels that select pods: they never change. */}}
{{- define "invoke.selector" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{/* The reference of a part's image. */}}
{{- define "invoke.image" -}}
{{- $image := .root.Values.image -}}
{{- with $image.registry }}{{ trimSuffix "/" . }}/{{ end -}}
invoke-{{ .part }}
{{- with index $image.digest .part }}@{{ . }}{{ else }}:{{ $image.tag | default .root.Chart.AppVersion }}{{ end -}}
{{- end }}

{{- define "invoke.replicas" -}}
{{- $replicas := (index .root.Values .part).replicas -}}
{{- if kindIs "invalid" $replicas }}{{ ternary 3 1 .root.Values.ha }}{{ else }}{{ $replicas | int }}{{ end -}}
{{- end }}

{{/* The namespaces whose pods are never meshed: an outage of ours must not stop what we stand on, nor ourselves. */}}
{{- define "invoke.excludedNamespaces" -}}
{{- list "kube-system" .Release.Namespace | uniq | toJson -}}
{{- end }}

{{/* Annotations are text, whatever YAML takes their values for. Numbers of a values file are floats to Helm. */}}
{{- define "invoke.sidecarDefaults" -}}
{{- $defaults := dict -}}
{{- range $key, $value := . -}}
{{- $_ := set $defaults $key (kindIs "float64" $value | ternary (int64 $value) $value | toString) -}}
{{- end -}}
{{- toJson $defaults -}}
{{- end }}
