// The subject of a certificate request (PKCS #10 in PEM), as far as rules about who may ask for what need it. Keys,
// extensions and signatures are the signer's to check (minik/process/pki.h).
//
// Bytes from outside: lengths are checked at every step, and a name in a form that signers might read otherwise than this
// reader is refused. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "control/base/result.h"

namespace minik::control {

struct CertificateSubject {
  std::vector<std::string> common_names;  // CN, in the order of the subject; one as a rule
  std::vector<std::string> organizations;  // O: the groups of whom the certificate is for
};

// kInvalid with what is wrong, as kube-apiserver says it where it is not of the encoding.
Result<CertificateSubject> read_certificate_subject(std::string_view pem);

}  // namespace minik::control
