{{- define "stroem.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "stroem.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "stroem.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "stroem.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "stroem.selector" -}}
app.kubernetes.io/name: {{ include "stroem.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "stroem.labels" -}}
{{ include "stroem.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "stroem.account" -}}
{{- $own := index .root.Values .component -}}
{{- if $own.serviceAccount.create -}}
{{- default (printf "%s-%s" (include "stroem.fullname" .root) .component) $own.serviceAccount.name -}}
{{- else -}}
{{- default "default" $own.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "stroem.image" -}}
{{- printf "%s:%s" .image.repository (default .root.Chart.AppVersion .image.tag) -}}
{{- end -}}

{{/* Where workers, and pods in any namespace, find the server. */}}
{{- define "stroem.serverUrl" -}}
{{- default (printf "http://%s-server.%s.svc:%v" (include "stroem.fullname" .) .Release.Namespace .Values.server.service.port) .Values.worker.serverUrl -}}
{{- end -}}

{{- define "stroem.podNamespace" -}}
{{- default .Release.Namespace .Values.worker.kubernetes.namespace -}}
{{- end -}}

{{/* The name of what the chart makes where pods run: several releases may share that namespace. */}}
{{- define "stroem.podsName" -}}
{{- $own := include "stroem.fullname" . -}}
{{- if eq (include "stroem.podNamespace" .) .Release.Namespace -}}{{ $own }}{{- else -}}{{ printf "%s-%s" .Release.Namespace $own }}{{- end -}}
{{- end -}}

{{- define "stroem.tokenSecret" -}}
{{- default (printf "%s-tokens" (include "stroem.fullname" .)) .Values.workerToken.existingSecret -}}
{{- end -}}

{{/* Whether the configuration says itself who may come in. */}}
{{- define "stroem.madeAdmin" -}}
{{- $config := .Values.server.config -}}
{{- if and .Values.auth.generateAdminToken (not (dig "auth" "tokens" "" $config)) (not $config.allow_unauthenticated) -}}true{{- end -}}
{{- end -}}

{{- define "stroem.adminSecret" -}}
{{- default (printf "%s-tokens" (include "stroem.fullname" .)) .Values.auth.existingSecret -}}
{{- end -}}

{{/* Whether there is a PostgreSQL, wherever its address is written. */}}
{{- define "stroem.hasDatabase" -}}
{{- $written := dig "db" "url" "" .Values.server.config -}}
{{- if or .Values.db.url .Values.db.existingSecret (hasPrefix "postgres" $written) -}}true{{- end -}}
{{- end -}}

{{/* More than one server, now or later. */}}
{{- define "stroem.isReplicated" -}}
{{- if or .Values.server.autoscaling.enabled (gt (int .Values.server.replicas) 1) -}}true{{- end -}}
{{- end -}}

{{/* `server-config.yaml`. */}}
{{- define "stroem.serverConfig" -}}
{{- $own := dict "listen" "0.0.0.0:8080" "data_dir" "/var/stroem/data" -}}
{{- toYaml (mustMergeOverwrite $own (deepCopy .Values.server.config)) -}}
{{- end -}}

{{/* `worker-config.yaml`. */}}
{{- define "stroem.workerConfig" -}}
{{- $worker := .Values.worker -}}
{{- $tags := list "script" -}}
{{- $own := dict "server_url" (include "stroem.serverUrl" .) "state_dir" "/var/stroem/state" "workspace_cache_dir" "/var/stroem/cache" -}}
{{- if $worker.dind.enabled -}}
{{- $tags = append $tags "docker" -}}
{{- $tls := dict "ca" "/certs/client/ca.pem" "cert" "/certs/client/cert.pem" "key" "/certs/client/key.pem" -}}
{{- $_ := set $own "docker" (dict "host" "tcp://127.0.0.1:2376" "tls" $tls) -}}
{{- end -}}
{{- if $worker.kubernetes.enabled -}}
{{- $tags = append $tags "kubernetes" -}}
{{- $url := default (include "stroem.serverUrl" .) $worker.kubernetes.serverUrl -}}
{{- $kubernetes := dict "namespace" (include "stroem.podNamespace" .) "server_url" $url -}}
{{- if $worker.kubernetes.runnerStartupScripts -}}
{{- $_ := set $kubernetes "runner_startup_configmap" (printf "%s-runner-startup" (include "stroem.podsName" .)) -}}
{{- end -}}
{{- $_ := set $own "kubernetes" $kubernetes -}}
{{- end -}}
{{- $written := deepCopy $worker.config -}}
{{- $all := uniq (concat $tags (default (list) $written.tags)) -}}
{{- $merged := mustMergeOverwrite $own $written -}}
{{- $_ := set $merged "tags" $all -}}
{{- toYaml $merged -}}
{{- end -}}

{{/* Variables of a map or a list. */}}
{{- define "stroem.env" -}}
{{- if kindIs "map" . -}}
{{- range $name, $value := . }}
- name: {{ $name }}
  value: {{ $value | toString | quote }}
{{- end }}
{{- else if . -}}
{{ toYaml . }}
{{- end -}}
{{- end -}}

{{/* What the pods of server and worker have in common, beside their containers. */}}
{{- define "stroem.pod" -}}
{{- $own := index .root.Values .component -}}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
serviceAccountName: {{ include "stroem.account" . }}
terminationGracePeriodSeconds: {{ $own.terminationGracePeriodSeconds }}
{{- range $key := list "nodeSelector" "tolerations" "affinity" "hostAliases" }}
{{- with index $own $key }}
{{ $key }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- with $own.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Image, variables and mounts of the main container. */}}
{{- define "stroem.container" -}}
{{- $own := index .root.Values .component -}}
{{- $name := printf "%s-%s" (include "stroem.fullname" .root) .component -}}
image: {{ include "stroem.image" (dict "root" .root "image" $own.image) }}
imagePullPolicy: {{ $own.image.pullPolicy }}
{{- with $own.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $own.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if $own.extraSecretEnv }}
envFrom:
  - secretRef:
      name: {{ $name }}-env
{{- end }}
{{- end -}}

{{- define "stroem.mounts" -}}
{{- $own := index .root.Values .component -}}
- name: config
  mountPath: /etc/stroem/{{ .component }}-config.yaml
  subPath: {{ .component }}-config.yaml
  readOnly: true
- name: state
  mountPath: /var/stroem
{{- if and (eq .component "worker") $own.dind }}
{{- if $own.dind.enabled }}
- name: wait
  mountPath: /etc/stroem/startup.d/10-dind.sh
  subPath: 10-dind.sh
  readOnly: true
- name: certificates
  mountPath: /certs/client
  subPath: client
  readOnly: true
{{- end }}
{{- end }}
{{- if $own.startupScript }}
- name: startup
  mountPath: /etc/stroem/startup.d/90-chart.sh
  subPath: 90-chart.sh
  readOnly: true
{{- end }}
{{- with $own.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "stroem.volumes" -}}
{{- $own := index .root.Values .component -}}
{{- $name := printf "%s-%s" (include "stroem.fullname" .root) .component -}}
- name: config
  secret:
    secretName: {{ $name }}-config
{{- if $own.startupScript }}
- name: startup
  configMap:
    name: {{ $name }}-startup
{{- end }}
{{- with $own.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Pods start again when what they read at their start changes. */}}
{{- define "stroem.podMetadata" -}}
{{- $own := index .root.Values .component -}}
annotations:
  checksum/config: {{ printf "%s%s%s%s" .config $own.startupScript (toYaml $own.extraSecretEnv) .root.Values.db.url | sha256sum }}
  {{- with $own.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
labels:
  {{- include "stroem.labels" . | nindent 2 }}
  {{- with $own.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}
