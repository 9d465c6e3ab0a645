// The keys of one cluster: its CA, the API server's certificate, the admin's client certificate, the front proxy's CA
// and client certificate (by which API servers behind this one know it) and the key that signs ServiceAccount tokens. EC P-256 throughout (OpenSSL 3), so that making all of
// them takes a few milliseconds of the first start.
//
//   <folder>/ca.crt ca.key apiserver.crt apiserver.key admin.crt admin.key sa.key
//            front-proxy-ca.crt front-proxy-ca.key front-proxy-client.crt front-proxy-client.key
//
// Files are 0600 in a 0700 folder and appear whole (written aside, synced, renamed). They are
// reused by the next start. The server's and clients' certificates are made anew when they expire within
// 30 days, are not signed by this CA, or do not name what the server is reached by. The CA and the
// token key are never replaced behind the user's back: kubeconfigs and tokens out there depend on
// them. A file that cannot be read as what it should be is an error that names the remedy.
//
// Blocking file work: call it before the loops run, or on a worker. Values are plain and may be
// shared.
#pragma once

#include <string>
#include <vector>

#include "control/base/result.h"
#include "control/base/time.h"

namespace minik {

struct KeyPair {
  std::string certificate_pem;
  std::string private_key_pem;
};

struct ClusterPki {
  KeyPair ca;
  KeyPair server;
  KeyPair admin;  // CN kubernetes-admin, O system:masters
  KeyPair front_proxy_ca;
  KeyPair front_proxy_client;  // CN front-proxy-client
  std::string service_account_key_pem;
};

inline constexpr const char* kFrontProxyName = "front-proxy-client";

// Beyond localhost, 127.0.0.1, ::1, the kubernetes Service's names and 10.96.0.1.
struct ServerNames {
  std::vector<std::string> dns_names;
  std::vector<std::string> addresses;
};

Result<ClusterPki> open_pki(const std::string& folder, const ServerNames& names, WallTime now);

// A client certificate signed by the cluster's CA: for node agents and for certificate requests.
Result<KeyPair> issue_client_certificate(const KeyPair& ca, const std::string& common_name,
                                         const std::vector<std::string>& organizations,
                                         WallTime now, Duration lifetime);

// What a certificate request (PKCS #10, PEM) must be like to be signed.
struct RequestRules {
  std::string organization;  // the only one of the subject; empty: any but system:masters
  std::string name_prefix;   // of the common name
  bool may_have_other_names = true, must_have_other_names = false;
  bool server = false, key_encipherment = false;
};
// The certificate as PEM. Invalid when the request cannot be read, is not signed by its own key or breaks
// a rule. Of the subject the common name and organizations are kept.
Result<std::string> sign_certificate_request(const KeyPair& ca, const std::string& request_pem,
                                             const RequestRules& rules, WallTime now,
                                             Duration lifetime);

}  // namespace minik
