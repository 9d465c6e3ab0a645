// Certificate signing: an approved CertificateSigningRequest gets its certificate from the
// cluster's CA, when it is for one of Kubernetes' own signers:
//
//   kubernetes.io/kube-apiserver-client           any subject, client authentication
//   kubernetes.io/kube-apiserver-client-kubelet   O=system:nodes, CN=system:node:…, no other names
//   kubernetes.io/kubelet-serving                 the same subject, server authentication, other
//   names
//
// What a signer does not allow gets the condition Failed. Requests are deleted an hour after they
// were issued, denied or failed, and a day after nobody has decided. Nobody is approved
// automatically.
//
// The cryptography is behind CertificateSigner: a pure function of the order but for the serial
// number.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "control/client/controller.h"

namespace minik::control {

struct CertificateOrder {
  std::string request_pem;
  std::string organization;  // the one that the subject must have; empty: any
  std::string name_prefix;   // of the subject's common name; empty: any
  enum class OtherNames : uint8_t { kForbidden, kAllowed, kRequired };
  OtherNames other_names = OtherNames::kAllowed;  // subjectAltName
  bool server = false;                            // else for clients
  bool key_encipherment = false;
  WallTime now;
  Duration lifetime;
};
// The certificate as PEM; Invalid when the request is not one that may be signed.
using CertificateSigner = std::function<Result<std::string>(const CertificateOrder&)>;

ControllerSpec certificate_signing_controller(CertificateSigner sign);

}  // namespace minik::control
