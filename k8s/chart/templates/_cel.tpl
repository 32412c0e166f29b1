{{/*
A value as a CEL literal. Lists and maps of CEL have one type, so each member is dyn. The text STATUS_PORT becomes the port
that was found, as a number where it is all of the value.
*/}}
{{- define "cedar.cel" -}}
{{- if kindIs "map" . -}}
{ {{- $first := true }}{{ range $key, $value := . }}{{ if not $first }}, {{ end }}{{ $first = false }}{{ toJson $key }}: dyn({{ include "cedar.cel" $value }}){{ end -}} }
{{- else if kindIs "slice" . -}}
[ {{- range $at, $value := . }}{{ if $at }}, {{ end }}dyn({{ include "cedar.cel" $value }}){{ end -}} ]
{{- else if eq (toString .) "STATUS_PORT" -}}
variables.statusPort
{{- else if eq (toString .) "text:STATUS_PORT" -}}
string(variables.statusPort)
{{- else if kindIs "float64" . -}}
{{ if eq (floor .) . }}{{ int64 . }}{{ else }}{{ . }}{{ end }}
{{- else -}}
{{ toJson . }}
{{- end -}}
{{- end }}

{{/* JSON patches that append to a list of the pod, which may not be there. Argument: dict path, field, values. */}}
{{- define "cedar.celAppend" -}}
(has(object.{{ .field }}) ? [] : [JSONPatch{op: "add", path: "{{ .path }}", value: []}])
{{- range .values }}
+ [JSONPatch{op: "add", path: "{{ $.path }}/-", value: {{ include "cedar.cel" . }}}]
{{- end }}
{{- end }}
