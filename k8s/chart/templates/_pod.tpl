{{/* What a probe asks, with the operator's times. Argument: dict path, port, times. */}}
{{- define "cedar.probe" -}}
httpGet: { path: {{ .path }}, port: {{ .port }} }
{{- with .times }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* One container, the same in both placements. Argument: dict root, group, port (of status). */}}
{{- define "cedar.container" -}}
{{- $values := .root.Values -}}
name: cedar-ext-authz
image: {{ include "cedar.image" .root }}
imagePullPolicy: {{ $values.image.pullPolicy }}
args: [serve, --config, /etc/cedar-ext-authz/config/config.yaml]
{{- if or (eq $values.mode "sidecar") $values.audit.volume $values.env }}
env:
  {{- include "cedar.env" . | trim | nindent 2 }}
{{- end }}
{{- if and (include "cedar.deployed" .root) (gt (int $values.central.preStopSeconds) 0) (semverCompare ">=1.30.0-0" .root.Capabilities.KubeVersion.Version) }}
lifecycle:
  # New connections still come while the cluster takes the pod out of its Service.
  preStop: { sleep: { seconds: {{ $values.central.preStopSeconds }} } }
{{- end }}
ports:
  - { name: cedar-status, containerPort: {{ .port }}, protocol: TCP }
  {{- if eq $values.mode "central" }}
  - { name: check, containerPort: {{ $values.central.port }}, protocol: TCP }
  {{- else if eq $values.mode "control" }}
  - { name: control, containerPort: {{ $values.control.port }}, protocol: TCP }
  {{- end }}
  {{- if include "cedar.console" .root }}
  - { name: console, containerPort: {{ $values.console.port }}, protocol: TCP }
  {{- end }}
startupProbe:
  {{- include "cedar.probe" (dict "path" "/readyz" "port" .port "times" $values.probes.startup) | nindent 2 }}
readinessProbe:
  {{- include "cedar.probe" (dict "path" "/readyz" "port" .port "times" $values.probes.readiness) | nindent 2 }}
livenessProbe:
  {{- include "cedar.probe" (dict "path" "/healthz" "port" .port "times" $values.probes.liveness) | nindent 2 }}
securityContext:
  {{- include "cedar.securityContext" . | nindent 2 }}
resources:
  {{- toYaml $values.resources | nindent 2 }}
volumeMounts:
  {{- include "cedar.mounts" .root | nindent 2 }}
{{- end }}

{{/* Argument: dict group. */}}
{{- define "cedar.securityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: {{ .group }}
privileged: false
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{/* Argument: dict root, port. */}}
{{- define "cedar.env" -}}
{{- if eq .root.Values.mode "sidecar" -}}
- { name: AUTHZ_STATUS_PORT, value: {{ .port | toString | quote }} }
{{- end }}
{{- if .root.Values.audit.volume }}
# Each process writes a file of its own.
- { name: POD_NAME, valueFrom: { fieldRef: { fieldPath: metadata.name } } }
{{- end }}
{{- with .root.Values.env }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "cedar.mounts" -}}
- { name: cedar-config, mountPath: /etc/cedar-ext-authz/config, readOnly: true }
- { name: cedar-policies, mountPath: /etc/cedar-ext-authz/policies, readOnly: true }
- { name: cedar-inventory, mountPath: /etc/cedar-ext-authz/inventory, readOnly: true }
{{- if include "cedar.bundles" . }}
- { name: cedar-bundles, mountPath: /etc/cedar-ext-authz/bundles, readOnly: true }
{{- end }}
{{- if include "cedar.certificate" . }}
- { name: cedar-certificate, mountPath: /etc/cedar-ext-authz/certificate, readOnly: true }
{{- end }}
{{- if include "cedar.peersFile" . }}
- { name: cedar-peers, mountPath: /etc/cedar-ext-authz/peers, readOnly: true }
{{- end }}
{{- if .Values.audit.volume }}
- { name: cedar-audit, mountPath: /var/log/cedar-ext-authz }
{{- end }}
{{- if include "cedar.asksAgent" . }}
- { name: spiffe-workload-api, mountPath: /spiffe-workload-api, readOnly: true }
{{- end }}
{{- if .Values.state.secret }}
- { name: cedar-state, mountPath: /etc/cedar-ext-authz/state, readOnly: true }
{{- end }}
{{- if .Values.control.key }}
- { name: cedar-control, mountPath: /etc/cedar-ext-authz/control, readOnly: true }
{{- end }}
{{- if include "cedar.console" . }}
- { name: cedar-console, mountPath: /etc/cedar-ext-authz/console, readOnly: true }
{{- end }}
{{- if .Values.notices.secret }}
- { name: cedar-notices, mountPath: /etc/cedar-ext-authz/notices, readOnly: true }
{{- end }}
{{- if .Values.tracing.secret }}
- { name: cedar-tracing, mountPath: /etc/cedar-ext-authz/tracing, readOnly: true }
{{- end }}
{{- if .Values.tokenService.key }}
- { name: cedar-token-service, mountPath: /etc/cedar-ext-authz/token-service, readOnly: true }
{{- end }}
{{- if .Values.control.trustedKeys }}
- { name: cedar-control-keys, mountPath: /etc/cedar-ext-authz/control-keys, readOnly: true }
{{- end }}
{{- with .Values.volumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The ConfigMaps that hold trust bundles, as sources of one projected volume. */}}
{{- define "cedar.bundles" -}}
{{- range $domain, $from := include "cedar.trustDomains" . | fromYaml }}
{{- $federation := $from.federation | default dict }}
{{- range $use, $source := dict "bundle" $from.configMap "bootstrap" $federation.bootstrap "ca" $federation.ca }}
{{- with $source }}
- configMap: { name: {{ .name | quote }}, items: [{ key: {{ .key | quote }}, path: {{ printf "%s/%s/%s" $domain $use .key | quote }} }] }
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "cedar.volumes" -}}
- { name: cedar-config, configMap: { name: {{ include "cedar.name" . }} } }
- name: cedar-policies
  {{- if .Values.policies.volume }}
  {{- toYaml .Values.policies.volume | nindent 2 }}
  {{- else }}
  projected:
    sources:
      {{- range .Values.policies.configMaps }}
      - configMap:
          name: {{ .name | quote }}
          {{- with .items }}
          items: {{- toYaml . | nindent 12 }}
          {{- end }}
      {{- end }}
  {{- end }}
- { name: cedar-inventory, configMap: { name: {{ .Values.inventory.configMap | quote }}, items: [{ key: {{ .Values.inventory.key | quote }}, path: inventory.yaml }] } }
{{- with include "cedar.bundles" . }}
- name: cedar-bundles
  projected:
    sources: {{- . | nindent 6 }}
{{- end }}
{{- if include "cedar.certificate" . }}
- name: cedar-certificate
  {{- with .Values.central.certificate.secret }}
  # 0440: readable by the group, which is fsGroup.
  secret: { secretName: {{ . | quote }}, defaultMode: 288 }
  {{- end }}
  {{- with .Values.central.certificate.volume }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- if include "cedar.peersFile" . }}
{{- with .Values.central.peersConfigMap }}
- { name: cedar-peers, configMap: { name: {{ .name | quote }}, items: [{ key: {{ .key | quote }}, path: peers.yaml }] } }
{{- end }}
{{- end }}
{{- with .Values.audit.volume }}
- name: cedar-audit
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if include "cedar.asksAgent" . }}
- { name: spiffe-workload-api, csi: { driver: {{ .Values.spiffe.csiDriver }}, readOnly: true } }
{{- end }}
{{- with .Values.state.secret }}
- { name: cedar-state, secret: { secretName: {{ . | quote }} } }
{{- end }}
{{- with .Values.control.key }}
# 0440: readable by the group, which is fsGroup.
- { name: cedar-control, secret: { secretName: {{ .secret | quote }}, defaultMode: 288, items: [{ key: {{ .key | quote }}, path: {{ .key | quote }} }] } }
{{- end }}
{{- if include "cedar.console" . }}
{{- $console := .Values.console }}
- name: cedar-console
  projected:
    # 0440: readable by the group, which is fsGroup.
    defaultMode: 288
    sources:
      - secret: { name: {{ $console.certificate | quote }}, items: [{ key: tls.crt, path: tls.crt }, { key: tls.key, path: tls.key }] }
      - secret: { name: {{ $console.clientSecret.secret | quote }}, items: [{ key: {{ $console.clientSecret.key | quote }}, path: client.secret }] }
      {{- with $console.providerCa }}
      - configMap: { name: {{ .name | quote }}, items: [{ key: {{ .key | quote }}, path: provider-ca.pem }] }
      {{- end }}
{{- end }}
{{- with .Values.tracing.secret }}
- { name: cedar-tracing, secret: { secretName: {{ . | quote }}, defaultMode: 288 } }
{{- end }}
{{- with .Values.notices.secret }}
- { name: cedar-notices, secret: { secretName: {{ . | quote }}, defaultMode: 288 } }
{{- end }}
{{- with .Values.tokenService.key }}
- { name: cedar-token-service, secret: { secretName: {{ .secret | quote }}, defaultMode: 288, items: [{ key: {{ .key | quote }}, path: {{ .key | quote }} }] } }
{{- end }}
{{- with .Values.control.trustedKeys }}
- name: cedar-control-keys
  projected:
    sources:
      {{- range . }}
      - configMap: { name: {{ .name | quote }}, items: [{ key: {{ .key | quote }}, path: {{ printf "%s/%s" .name .key | quote }} }] }
      {{- end }}
{{- end }}
{{- with .Values.volumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The sidecar as an init container that stays: ready before Envoy starts, ended after it. Argument: dict root, port. */}}
{{- define "cedar.sidecar" -}}
restartPolicy: Always
{{ include "cedar.container" (dict "root" .root "group" .root.Values.sidecar.envoyGroup "port" .port) }}
  - { name: cedar-check, mountPath: /run/cedar-ext-authz }
  # Kubernetes mounts no service-account token where something is mounted already. The sidecar needs none.
  - { name: cedar-no-token, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true }
{{- end }}

{{- define "cedar.sidecarVolumes" -}}
{{ include "cedar.volumes" . }}
# Whoever mounts this can ask in anyone's name: Envoy and the sidecar alone.
- { name: cedar-check, emptyDir: { medium: Memory, sizeLimit: 1Mi } }
- { name: cedar-no-token, emptyDir: { sizeLimit: 1Mi } }
{{- end }}
