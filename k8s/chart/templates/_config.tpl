{{/* Not empty where the release has a Deployment of its own. */}}
{{- define "cedar.deployed" -}}
{{- if ne .Values.mode "sidecar" -}}true{{- end -}}
{{- end }}

{{/* Not empty where the check port or the control port serves TLS. */}}
{{- define "cedar.overTls" -}}
{{- if and (include "cedar.deployed" .) (not .Values.unsafePlaintext) -}}true{{- end -}}
{{- end }}

{{/* Every trust domain by name, ours among them. */}}
{{- define "cedar.trustDomains" -}}
{{- $all := deepCopy .Values.foreignTrustDomains -}}
{{- $_ := set $all .Values.trustDomain (mergeOverwrite (dict "local" true) (deepCopy .Values.bundle)) -}}
{{- toYaml $all -}}
{{- end }}

{{/* Not empty where the certificate of the check port or the control port comes from files. */}}
{{- define "cedar.certificate" -}}
{{- if and (include "cedar.overTls" .) (or .Values.central.certificate.secret .Values.central.certificate.volume) -}}true{{- end -}}
{{- end }}

{{/* Not empty where the check port's clients are in a ConfigMap. */}}
{{- define "cedar.peersFile" -}}
{{- if and (eq .Values.mode "central") (include "cedar.overTls" .) .Values.central.peersConfigMap -}}true{{- end -}}
{{- end }}

{{/* Not empty where the SPIFFE agent is asked: for our own SVID, or for a bundle. */}}
{{- define "cedar.asksAgent" -}}
{{- if not (include "cedar.certificate" .) }}{{ include "cedar.overTls" . }}{{ end -}}
{{- range include "cedar.trustDomains" . | fromYaml }}{{ if .workloadApi }}true{{ end }}{{ end -}}
{{- end }}

{{/* The path of a key of a ConfigMap that holds a trust bundle. Argument: dict domain, use, from. */}}
{{- define "cedar.bundlePath" -}}
/etc/cedar-ext-authz/bundles/{{ .domain }}/{{ .use }}/{{ .from.key }}
{{- end }}

{{/* Not empty where people sign in. */}}
{{- define "cedar.console" -}}
{{- if and (eq .Values.mode "control") .Values.console.url -}}true{{- end -}}
{{- end }}

{{/* Not empty where keys or bundles are fetched over the network, or a store is there. */}}
{{- define "cedar.fetches" -}}
{{- include "cedar.console" . -}}
{{- range include "cedar.trustDomains" . | fromYaml }}{{ if .federation }}true{{ end }}{{ end -}}
{{- if regexMatch "\"url\":\"(https?|rediss?):|\"discovery\":true|\"sentinel\":" (toJson .Values.config) -}}true{{- end -}}
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

{{/* Not empty where all processes share what they remember. */}}
{{- define "cedar.sharesState" -}}
{{- if eq (toString ((.Values.config.state | default dict).store)) "redis" -}}true{{- end -}}
{{- end }}

{{/* Not empty where requests may carry proofs, and each process remembers by itself which ones were used. */}}
{{- define "cedar.proofsApart" -}}
{{- if not (include "cedar.sharesState" .) }}{{ include "cedar.proofs" . }}{{ end -}}
{{- end }}

{{/* Fails where a proof could be used twice: each process remembers by itself which ones it has seen. */}}
{{- define "cedar.refuseSharedProofs" -}}
{{- if include "cedar.proofsApart" . -}}
{{- if and (eq .Values.mode "central") (or .Values.central.autoscaling.enabled (gt (int .Values.central.replicas) 1)) -}}
{{- fail "config.task takes proofs of possession (DPoP, WIMSE), and a proof may be used once: each replica remembers by itself which proofs it has seen, so with central.replicas above 1 or central.autoscaling a stolen one could be used once at each. Share what is remembered by config.state.store: redis, set central.replicas to 1 and no autoscaler, or take no proofs." -}}
{{- end -}}
{{- if and (eq .Values.mode "sidecar") (not .Values.sidecar.singleReplica) -}}
{{- fail "config.task takes proofs of possession (DPoP, WIMSE), and a proof may be used once: each sidecar remembers by itself which proofs it has seen, so in a Deployment of several pods a stolen one could be used once at each. Share what is remembered by config.state.store: redis, or run one pod, without an autoscaler, and set sidecar.singleReplica to true, or take no proofs." -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Fails where an order of the control API would hold in one process of several. */}}
{{- define "cedar.refuseSharedOrders" -}}
{{- if eq .Values.mode "control" -}}
{{- if not (include "cedar.sharesState" .) -}}
{{- fail "mode: control takes orders for all sidecars, which read them from the store that they share: set config.state.store to redis and config.state.url to the store of the sidecars." -}}
{{- end -}}
{{- else if and (hasKey (.Values.config.listen | default dict) "control") (ne (toString .Values.config.listen.control) "off") (not (include "cedar.sharesState" .)) -}}
{{- if and (eq .Values.mode "central") (or .Values.central.autoscaling.enabled (gt (int .Values.central.replicas) 1)) -}}
{{- fail "config.listen.control takes orders such as revocations, and each replica remembers by itself which ones it took: with central.replicas above 1 or central.autoscaling the others would go on allowing. Share what is remembered by config.state.store: redis, or set central.replicas to 1 and no autoscaler." -}}
{{- end -}}
{{- if and (eq .Values.mode "sidecar") (not .Values.sidecar.singleReplica) -}}
{{- fail "config.listen.control takes orders such as revocations, and each sidecar remembers by itself which ones it took: the sidecars of other pods would go on allowing. Share what is remembered by config.state.store: redis, or run one pod, without an autoscaler, and set sidecar.singleReplica to true." -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Fails where values contradict each other in a way that a schema cannot say. */}}
{{- define "cedar.refuseContradictions" -}}
{{- include "cedar.refuseSharedProofs" . -}}
{{- include "cedar.refuseSharedOrders" . -}}
{{- if hasKey .Values.foreignTrustDomains .Values.trustDomain -}}
{{- fail (printf "foreignTrustDomains names %s, which is trustDomain: its bundle is under bundle." .Values.trustDomain) -}}
{{- end -}}
{{- if and (include "cedar.deployed" .) .Values.networkPolicy.enabled (include "cedar.fetches" .) (not .Values.networkPolicy.egress) -}}
{{- fail "keys or bundles are fetched by URL, config.state names a store, spans go to a collector, or people sign in at a provider, and the NetworkPolicy lets the pods connect nowhere: set networkPolicy.egress to rules that lead to these servers." -}}
{{- end -}}
{{- if and (eq .Values.mode "central") (eq (int .Values.central.port) (int .Values.status.port)) -}}
{{- fail "central.port and status.port are the same." -}}
{{- end -}}
{{- if and (eq .Values.mode "control") (eq (int .Values.control.port) (int .Values.status.port)) -}}
{{- fail "control.port and status.port are the same." -}}
{{- end -}}
{{- if and .Values.console.url (ne .Values.mode "control") -}}
{{- fail "console.url is for mode: control, the one process that people sign in to: install a release of that mode." -}}
{{- end -}}
{{- if and (include "cedar.console" .) (has (int .Values.console.port) (list (int .Values.control.port) (int .Values.status.port))) -}}
{{- fail "console.port is that of another listener: control.port or status.port." -}}
{{- end -}}
{{- if and .Values.tokenService.key (not (or .Values.control.key (dig "control" "key" "" .Values.config))) (eq .Values.mode "control") -}}
{{- fail "tokenService.key needs control.key: in the store that the sidecars share, the beginning of a task is signed." -}}
{{- end -}}
{{- if and .Values.tokenService.key (eq .Values.mode "sidecar") (not .Values.sidecar.singleReplica) -}}
{{- fail "tokenService.key signs task tokens, and each sidecar would have it: run the token service in mode: control, or set sidecar.singleReplica to true where there is one pod." -}}
{{- end -}}
{{- if and (include "cedar.certificate" .) (dig "listen" "tls" "svid" "" .Values.config) -}}
{{- fail "config.listen.tls.svid asks the SPIFFE agent for what central.certificate has: drop one." -}}
{{- end -}}
{{- if and (include "cedar.deployed" .) .Values.central.certificate.caFile (not (include "cedar.certificate" .)) -}}
{{- fail "central.certificate.caFile is a file of central.certificate.secret or central.certificate.volume: set one of them." -}}
{{- end -}}
{{- $limits := .Values.config.limits | default dict -}}
{{- if and (include "cedar.deployed" .) (not (or $limits.drainDelay $limits.drain)) (le (int .Values.central.terminationGracePeriodSeconds) (add 28 (int .Values.central.preStopSeconds) | int)) -}}
{{- fail "central.terminationGracePeriodSeconds must be more than central.preStopSeconds and 28 s (limits.drainDelay 3 s, limits.drain 20 s, 5 s for the audit) together." -}}
{{- end -}}
{{- $paths := dict -}}
{{- range .Values.policies.configMaps -}}
{{- range .items -}}
{{- if hasKey $paths .path }}{{ fail (printf "policies.configMaps gives two files the path %s." .path) }}{{ end -}}
{{- $_ := set $paths .path true -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* One trust domain of the configuration. Argument: dict domain, from. */}}
{{- define "cedar.trustDomain" -}}
{{- $at := dict -}}
{{- if .from.local }}{{ $_ := set $at "local" true }}{{ end -}}
{{- if .from.workloadApi }}{{ $_ := set $at "workloadApi" dict }}{{ end -}}
{{- with .from.configMap -}}
{{- $_ := set $at "bundle" (dict "file" (include "cedar.bundlePath" (dict "domain" $.domain "use" "bundle" "from" .))) -}}
{{- end -}}
{{- with .from.federation -}}
{{- $federation := omit (deepCopy .) "bootstrap" "ca" -}}
{{- range $use := list "bootstrap" "ca" -}}
{{- with get $.from.federation $use }}{{ $_ := set $federation $use (include "cedar.bundlePath" (dict "domain" $.domain "use" $use "from" .)) }}{{ end -}}
{{- end -}}
{{- $_ := set $at "federation" $federation -}}
{{- end -}}
{{- with .from.maxStale }}{{ $_ := set $at "maxStale" . }}{{ end -}}
{{- toYaml $at -}}
{{- end }}

{{/* TLS of the check port or the control port: by files, or by the SPIFFE agent. */}}
{{- define "cedar.tls" -}}
{{- $tls := dict -}}
{{- if include "cedar.certificate" . -}}
{{- $from := .Values.central.certificate -}}
{{- $folder := "/etc/cedar-ext-authz/certificate/" -}}
{{- $files := dict "certificate" (print $folder $from.certificateFile) "key" (print $folder $from.keyFile) -}}
{{- with $from.caFile }}{{ $_ := set $files "ca" (print $folder .) }}{{ end -}}
{{- $_ := set $tls "files" $files -}}
{{- end -}}
{{- toYaml $tls -}}
{{- end }}

{{/* The names by which the Service of the control port is called, and those of control.hosts. */}}
{{- define "cedar.controlHosts" -}}
{{- $name := include "cedar.name" . -}}
{{- $service := list $name (printf "%s.%s" $name .Release.Namespace) (printf "%s.%s.svc" $name .Release.Namespace) -}}
{{- concat $service .Values.control.hosts | uniq | toYaml -}}
{{- end }}

{{/* The file of a public key of `control.trustedKeys`. */}}
{{- define "cedar.trustedKey" -}}
/etc/cedar-ext-authz/control-keys/{{ .name }}/{{ .key }}
{{- end }}

{{/* The configuration file: what the chart knows, with .Values.config merged over it. */}}
{{- define "cedar.config" -}}
{{- $listen := dict -}}
{{- if eq .Values.mode "control" -}}
{{- $control := dict
  "address" (printf "%s:%d" .Values.listenAddress (int .Values.control.port))
  "tls" (include "cedar.tls" . | fromYaml)
  "hosts" (include "cedar.controlHosts" . | fromYamlArray)
-}}
{{- $listen = dict "check" "off" "control" $control "status" (printf "%s:%d" .Values.listenAddress (int .Values.status.port)) -}}
{{- else if eq .Values.mode "central" -}}
{{- $_ := set $listen "check" (printf "%s:%d" .Values.listenAddress (int .Values.central.port)) -}}
{{- $_ := set $listen "status" (printf "%s:%d" .Values.listenAddress (int .Values.status.port)) -}}
{{- if .Values.unsafePlaintext -}}
{{- $_ := set $listen "unsafePlaintext" true -}}
{{- else -}}
{{- $_ := set $listen "tls" (include "cedar.tls" . | fromYaml) -}}
{{- if include "cedar.peersFile" . -}}
{{- $_ := set $listen "peersFile" "/etc/cedar-ext-authz/peers/peers.yaml" -}}
{{- else -}}
{{- $_ := set $listen "peers" .Values.central.peers -}}
{{- end -}}
{{- end -}}
{{- else -}}
{{- $_ := set $listen "check" "unix:///run/cedar-ext-authz/check.sock" -}}
{{- $_ := set $listen "status" (printf "%s:${AUTHZ_STATUS_PORT}" .Values.listenAddress) -}}
{{- end -}}
{{- $domains := dict -}}
{{- range $name, $from := include "cedar.trustDomains" . | fromYaml -}}
{{- $_ := set $domains $name (include "cedar.trustDomain" (dict "domain" $name "from" $from) | fromYaml) -}}
{{- end -}}
{{- $identity := dict "trustDomains" $domains "forwarded" (dict "mode" "sanitize-set") -}}
{{- if include "cedar.asksAgent" . -}}
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
{{- $control := dict -}}
{{- with .Values.control.key }}{{ $_ := set $control "key" (printf "/etc/cedar-ext-authz/control/%s" .key) }}{{ end -}}
{{- with .Values.control.trustedKeys -}}
{{- $files := list }}{{ range . }}{{ $files = append $files (include "cedar.trustedKey" .) }}{{ end -}}
{{- $_ := set $control "trustedKeys" $files -}}
{{- end -}}
{{- with .Values.control.audience }}{{ $_ := set $control "audience" . }}{{ end -}}
{{- if include "cedar.console" . -}}
{{- $console := .Values.console -}}
{{- $folder := "/etc/cedar-ext-authz/console/" -}}
{{- $_ := set $control "console" (dict
  "listen" (printf "%s:%d" .Values.listenAddress (int $console.port))
  "url" $console.url
  "tls" (dict "certificate" (print $folder "tls.crt") "key" (print $folder "tls.key"))
) -}}
{{- $signIn := dict "clientSecretFile" (print $folder "client.secret") -}}
{{- if $console.providerCa }}{{ $_ := set $signIn "ca" (print $folder "provider-ca.pem") }}{{ end -}}
{{- $_ := set $control "signIn" (mergeOverwrite $signIn (deepCopy $console.signIn)) -}}
{{- end -}}
{{- with $control }}{{ $_ := set $base "control" . }}{{ end -}}
{{- $tokens := dict -}}
{{- with .Values.tokenService.key }}{{ $_ := set $tokens "keys" (printf "/etc/cedar-ext-authz/token-service/%s" .key) }}{{ end -}}
{{- with .Values.tokenService.audience }}{{ $_ := set $tokens "audience" . }}{{ end -}}
{{- with $tokens }}{{ $_ := set $base "tokenService" . }}{{ end -}}
{{- mergeOverwrite $base (deepCopy .Values.config) | toYaml -}}
{{- end }}
