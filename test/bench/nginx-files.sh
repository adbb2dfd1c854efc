#!/bin/sh
# Debian's nginx as one process that serves a folder: sh nginx-files.sh ROOT FOLDER
# FOLDER takes its configuration and pid. The port follows from the process id; the load waits for it.
port=$((10000 + $$ % 20000))
cat >"$2/nginx.conf" <<END
daemon off;
master_process off;
worker_processes 1;
pid $2/nginx.pid;
error_log stderr crit;
events { worker_connections 1024; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000000;
  default_type application/octet-stream;
  client_body_temp_path $2/nginx-body;
  proxy_temp_path $2/nginx-proxy;
  fastcgi_temp_path $2/nginx-fastcgi;
  uwsgi_temp_path $2/nginx-uwsgi;
  scgi_temp_path $2/nginx-scgi;
  server { listen 127.0.0.1:$port; root $1; }
}
END
echo "listening on http://127.0.0.1:$port"
exec nginx -p "$2" -c "$2/nginx.conf" -e stderr
