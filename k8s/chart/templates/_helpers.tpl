{{- define "cedar.name" -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else -}}
{{ .Release.Name | trunc 30 | trimSuffix "-" }}-{{ include "cedar.app" . | trunc 20 | trimSuffix "-" }}
{{- end -}}
{{- end }}

{{- define "cedar.app" -}}
{{ .Values.nameOverride | default "cedar-ext-authz" }}
{{- end }}

{{- define "cedar.labels" -}}
app.kubernetes.io/name: {{ include "cedar.app" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The metadata of an object. Argument: dict root, name (a suffix), labels, annotations, namespaced (false for the cluster's). */}}
{{- define "cedar.metadata" -}}
{{- $annotations := mergeOverwrite (deepCopy .root.Values.commonAnnotations) (deepCopy (.annotations | default dict)) -}}
metadata:
  {{- if .clusterName }}
  name: {{ .clusterName }}
  {{- else }}
  name: {{ include "cedar.name" .root }}{{ .suffix }}
  namespace: {{ .root.Release.Namespace }}
  {{- end }}
  labels:
    {{- include "cedar.labels" .root | nindent 4 }}
    {{- with .labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with $annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{- define "cedar.selector" -}}
app.kubernetes.io/name: {{ include "cedar.app" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* The pods that hold a sidecar: injected, or patched. */}}
{{- define "cedar.sidecarSelector" -}}
{{- if .Values.injection.everyPod -}}
matchExpressions: [{ key: cedar-ext-authz/inject, operator: NotIn, values: ["false"] }]
{{- else -}}
matchLabels: { cedar-ext-authz/inject: {{ .Release.Name | quote }} }
{{- end -}}
{{- end }}

{{- define "cedar.image" -}}
{{- with .Values.image -}}
{{- if not .repository -}}
{{- fail (printf "image.repository names no image, and no registry has one. Build it and push it to a registry of yours, such as registry.example/team, at the root of the repository: npm run image -- registry.example/team/cedar-ext-authz:%s --push. Then set image.repository to registry.example/team/cedar-ext-authz." $.Chart.AppVersion) -}}
{{- end -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{- define "cedar.serviceAccount" -}}
{{ .Values.central.serviceAccount.name | default (include "cedar.name" .) }}
{{- end }}

{{/* A number that changes with the configuration, which is read at start alone. Policies and bundles are watched. */}}
{{- define "cedar.checksum" -}}
{{ include "cedar.config" . | sha256sum | trunc 63 }}
{{- end }}
