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

{{/*
Not empty where requests may carry proofs of possession: WIMSE is on, or an issuer's tokens come in Authorization, where
DPoP may bind them.
*/}}
{{- define "cedar.proofs" -}}
{{- $task := .Values.config.task | default dict -}}
{{- if kindIs "map" $task.wimse -}}true{{- end -}}
{{- if $task.dpop -}}true{{- end -}}
{{- range $task.issuers -}}
{{- if ne (toString .kind) "txn-token" -}}true{{- end -}}
{{- end -}}
{{- end }}

{{/* Fails where a proof could be used twice: each process remembers by itself which ones it has seen. */}}
{{- define "cedar.refuseSharedProofs" -}}
{{- if include "cedar.proofs" . -}}
{{- if and (eq .Values.mode "central") (gt (int .Values.central.replicas) 1) -}}
{{- fail "config.task takes proofs of possession (DPoP, WIMSE), and a proof may be used once: each replica remembers by itself which proofs it has seen, so with central.replicas above 1 a stolen one could be used once at each. Set central.replicas to 1 and no autoscaler, or take no proofs." -}}
{{- end -}}
{{- if and (eq .Values.mode "sidecar") (not .Values.sidecar.singleReplica) -}}
{{- fail "config.task takes proofs of possession (DPoP, WIMSE), and a proof may be used once: each sidecar remembers by itself which proofs it has seen, so in a Deployment of several pods a stolen one could be used once at each. Run one pod, without an autoscaler, and set sidecar.singleReplica to true, or take no proofs." -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* The configuration file: what the chart knows, with .Values.config merged over it. */}}
{{- define "cedar.config" -}}
{{- if hasKey .Values "serves" -}}
{{- fail "the value serves was renamed; write hosts" -}}
{{- end -}}
{{- $bundle := printf "/etc/cedar-ext-authz/bundles/%s.%s" .Values.trustDomain .Values.bundleFormat -}}
{{- $listen := dict "check" "unix:///run/cedar-ext-authz/check.sock" "status" (printf "%s:9192" .Values.listenAddress) -}}
{{- if eq .Values.mode "central" -}}
{{- $_ := set $listen "check" (printf "%s:9191" .Values.listenAddress) -}}
{{- if .Values.unsafePlaintext -}}
{{- $_ := set $listen "unsafePlaintext" true -}}
{{- else -}}
{{- $_ := set $listen "tls" dict -}}
{{- $_ := set $listen "peers" .Values.central.peers -}}
{{- end -}}
{{- end -}}
{{- $domain := dict "local" true "bundle" (dict "file" $bundle) -}}
{{- $forwarded := dict "mode" "sanitize-set" -}}
{{- $identity := dict "trustDomains" (dict .Values.trustDomain $domain) "forwarded" $forwarded -}}
{{- if include "cedar.overTls" . -}}
{{- $_ := set $identity "workloadApi" (dict "socket" (printf "unix:///spiffe-workload-api/%s" .Values.spiffe.socket)) -}}
{{- end -}}
{{- $sinks := list -}}
{{- if or .Values.audit.stdout (not .Values.audit.volume) -}}
{{- $sinks = append $sinks (dict "stdout" dict) -}}
{{- end -}}
{{- if .Values.audit.volume -}}
{{- $sinks = append $sinks (dict "file" (dict "path" "/var/log/cedar-ext-authz/${POD_NAME}.jsonl")) -}}
{{- end -}}
{{- $base := dict
  "listen" $listen
  "hosts" .Values.hosts
  "identity" $identity
  "policy" (dict "folder" "/etc/cedar-ext-authz/policies" "inventory" "/etc/cedar-ext-authz/inventory/inventory.yaml")
  "audit" (dict "sinks" $sinks)
-}}
{{- mergeOverwrite $base (deepCopy .Values.config) | toYaml -}}
{{- end }}

{{/* One container, the same in both placements. Argument: dict root, group. */}}
{{- define "cedar.container" -}}
name: cedar-ext-authz
image: {{ include "cedar.image" .root }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
args: [serve, --config, /etc/cedar-ext-authz/config/config.yaml]
{{- if .root.Values.audit.volume }}
env:
  # Each sidecar writes a file of its own.
  - { name: POD_NAME, valueFrom: { fieldRef: { fieldPath: metadata.name } } }
{{- end }}
{{- if and (eq .root.Values.mode "central") (gt (int .root.Values.central.preStopSeconds) 0) (semverCompare ">=1.30.0-0" .root.Capabilities.KubeVersion.Version) }}
lifecycle:
  # New connections still come while the cluster takes the pod out of its Service.
  preStop: { sleep: { seconds: {{ .root.Values.central.preStopSeconds }} } }
{{- end }}
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
  {{- if .root.Values.audit.volume }}
  - { name: cedar-audit, mountPath: /var/log/cedar-ext-authz }
  {{- end }}
  {{- if include "cedar.overTls" .root }}
  - { name: spiffe-workload-api, mountPath: /spiffe-workload-api, readOnly: true }
  {{- end }}
{{- end }}

{{- define "cedar.volumes" -}}
- { name: cedar-config, configMap: { name: {{ include "cedar.name" . }} } }
- { name: cedar-policies, configMap: { name: {{ .Values.policies.configMap }} } }
- { name: cedar-inventory, configMap: { name: {{ .Values.inventory.configMap }} } }
- { name: cedar-bundles, configMap: { name: {{ .Values.bundles.configMap }} } }
{{- with .Values.audit.volume }}
- name: cedar-audit
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if include "cedar.overTls" . }}
- { name: spiffe-workload-api, csi: { driver: {{ .Values.spiffe.csiDriver }}, readOnly: true } }
{{- end }}
{{- end }}
