// Whether a TLS Secret holds a certificate and its key: what its author is warned of when it does not.
//
// The sentences are those of Go's crypto/tls, which a kube-apiserver passes on. Reads bytes that anybody may send, on
// the control thread: the key is read as RSA, EC or Ed25519 only and without a passphrase, so that nothing costs more
// than reading it; what is larger than any key counts as unreadable. Pure.
#pragma once

#include <string>
#include <string_view>

namespace minik {

// Empty where they belong together. Both are PEM: of several certificates the first counts, of several keys too.
std::string key_pair_problem(std::string_view certificate_pem, std::string_view key_pem);

}  // namespace minik
