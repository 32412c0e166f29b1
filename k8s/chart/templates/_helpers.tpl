{{- define "cedar.name" -}}
{{ .Release.Name | trunc 40 | trimSuffix "-" }}-cedar-ext-authz
{{- end }}

{{- define "cedar.labels" -}}
app.kubernetes.io/name: cedar-ext-authz
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "cedar.selector" -}}
app.kubernetes.io/name: cedar-ext-authz
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "cedar.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{/* Not empty where the check port serves mutual TLS. */}}
{{- define "cedar.overTls" -}}
{{- if and (eq .Values.mode "central") (not .Values.unsafePlaintext) -}}true{{- end -}}
{{- end }}

{{/* The configuration file: what the chart knows, with .Values.config merged over it. */}}
{{- define "cedar.config" -}}
{{- $bundle := printf "/etc/cedar-ext-authz/bundles/%s.%s" .Values.trustDomain .Values.bundleFormat -}}
{{- $listen := dict "check" "unix:///run/cedar-ext-authz/check.sock" "status" "0.0.0.0:9192" -}}
{{- if eq .Values.mode "central" -}}
{{- $_ := set $listen "check" "0.0.0.0:9191" -}}
{{- if .Values.unsafePlaintext -}}
{{- $_ := set $listen "unsafePlaintext" true -}}
{{- else -}}
{{- $_ := set $listen "tls" dict -}}
{{- $_ := set $listen "peers" .Values.central.peers -}}
{{- end -}}
{{- end -}}
{{- $domain := dict "ours" true "bundle" (dict "file" $bundle) -}}
{{- $identity := dict "trustDomains" (dict .Values.trustDomain $domain) -}}
{{- if include "cedar.overTls" . -}}
{{- $_ := set $identity "workloadApi" (dict "socket" (printf "unix:///spiffe-workload-api/%s" .Values.spiffe.socket)) -}}
{{- end -}}
{{- $base := dict
  "listen" $listen
  "serves" .Values.serves
  "identity" $identity
  "policy" (dict "folder" "/etc/cedar-ext-authz/policies" "inventory" "/etc/cedar-ext-authz/inventory/inventory.yaml")
  "audit" (dict "sinks" (list (dict "stdout" dict)))
-}}
{{- mergeOverwrite $base (deepCopy .Values.config) | toYaml -}}
{{- end }}

{{/* One container, the same in both placements. Argument: dict root, group. */}}
{{- define "cedar.container" -}}
name: cedar-ext-authz
image: {{ include "cedar.image" .root }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
args: [serve, --config, /etc/cedar-ext-authz/config/config.yaml]
ports:
  - { name: status, containerPort: 9192, protocol: TCP }
  {{- if eq .root.Values.mode "central" }}
  - { name: check, containerPort: 9191, protocol: TCP }
  {{- end }}
startupProbe:
  httpGet: { path: /readyz, port: 9192 }
  periodSeconds: 1
  failureThreshold: 120
readinessProbe:
  httpGet: { path: /readyz, port: 9192 }
  periodSeconds: 5
livenessProbe:
  httpGet: { path: /healthz, port: 9192 }
  periodSeconds: 10
  failureThreshold: 6
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: {{ .group }}
  privileged: false
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
  seccompProfile: { type: RuntimeDefault }
resources:
  {{- toYaml .root.Values.resources | nindent 2 }}
volumeMounts:
  - { name: cedar-config, mountPath: /etc/cedar-ext-authz/config, readOnly: true }
  - { name: cedar-policies, mountPath: /etc/cedar-ext-authz/policies, readOnly: true }
  - { name: cedar-inventory, mountPath: /etc/cedar-ext-authz/inventory, readOnly: true }
  - { name: cedar-bundles, mountPath: /etc/cedar-ext-authz/bundles, readOnly: true }
  {{- if include "cedar.overTls" .root }}
  - { name: spiffe-workload-api, mountPath: /spiffe-workload-api, readOnly: true }
  {{- end }}
{{- end }}

{{- define "cedar.volumes" -}}
- { name: cedar-config, configMap: { name: {{ include "cedar.name" . }} } }
- { name: cedar-policies, configMap: { name: {{ .Values.policies.configMap }} } }
- { name: cedar-inventory, configMap: { name: {{ .Values.inventory.configMap }} } }
- { name: cedar-bundles, configMap: { name: {{ .Values.bundles.configMap }} } }
{{- if include "cedar.overTls" . }}
- { name: spiffe-workload-api, csi: { driver: {{ .Values.spiffe.csiDriver }}, readOnly: true } }
{{- end }}
{{- end }}
