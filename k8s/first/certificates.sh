#!/bin/sh
# An authority for prod.example and three SVIDs, for a first try alone: SPIRE or cert-manager makes them in earnest.
# usage: certificates.sh FOLDER
set -eu
mkdir -p "$1"
cd "$1"

authority() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj '/O=prod.example' -addext 'keyUsage=critical,keyCertSign,cRLSign' \
    -addext 'subjectAltName=URI:spiffe://prod.example' -keyout authority.key -out prod.example.pem
}

# svid NAME PATH [MORE SUBJECT ALTERNATIVE NAMES]
svid() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/O=prod.example' -keyout "$1.key" -out "$1.csr"
  cat > "$1.ext" <<EXT
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth, clientAuth
subjectAltName = URI:spiffe://prod.example$2${3:-}
EXT
  openssl x509 -req -in "$1.csr" -CA prod.example.pem -CAkey authority.key -CAcreateserial -days 1 -extfile "$1.ext" -out "$1.pem"
  rm "$1.csr" "$1.ext"
}

{
  authority
  svid envoy /ns/payments/sa/envoy ,DNS:payments.internal
  svid ledger /ns/payments/sa/ledger
  svid agent /ns/agents/sa/billing-agent
} 2> openssl.log || { cat openssl.log >&2; exit 1; }
rm openssl.log
