// Who we are to a registry: credentials, the challenge of a 401, and the answer to it.
//
// A registry that wants to know names Basic (credentials with every request) or Bearer (a token
// from another server, for one scope, with or without credentials). Credentials go only to the
// registry's own origin and to the token server that it names over TLS, or over plain HTTP on this
// machine. Pure but for docker_credentials(), which reads a file. Follows the distribution
// project's token specification and RFC 7235.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "control/base/result.h"

namespace minik::runtime {

struct RegistryCredentials {
  std::string username;
  std::string password;
  bool operator==(const RegistryCredentials&) const = default;
};

struct AuthChallenge {
  enum class Scheme { kBasic, kBearer };
  Scheme scheme = Scheme::kBasic;
  std::string realm;  // of Bearer: the token server's URL
  std::string service;
  std::string scope;
};

// A WWW-Authenticate header. kUnauthorized for a scheme that we cannot answer.
Result<AuthChallenge> parse_challenge(std::string_view header);
// The token in a token server's answer.
Result<std::string> parse_token(std::string_view json);

std::string basic_authorization(const RegistryCredentials& credentials);

// What `docker login` saved for the registry ("docker.io", "localhost:5000") in a config.json;
// nothing when it has none or keeps it with a helper program, which is not run.
std::optional<RegistryCredentials> docker_credentials(const std::string& path,
                                                      const std::string& domain);
// The same from the file's text: also a kubernetes.io/dockerconfigjson Secret.
std::optional<RegistryCredentials> parse_docker_credentials(std::string_view json,
                                                            const std::string& domain);

}  // namespace minik::runtime
