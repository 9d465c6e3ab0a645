// RegistrySession: requests to one repository of one registry, with its authentication.
//
// Finds out whether the registry speaks TLS, answers its challenge once per scope and follows
// redirects without taking the credentials along. Each failure becomes one Error that names the
// registry. One thread; lives for one pull or push.
#pragma once

#include <string>
#include <vector>

#include "control/base/result.h"
#include "runtime/image/http_client.h"
#include "runtime/image/reference.h"
#include "runtime/image/registry_auth.h"
#include "runtime/image/registry_client.h"

namespace minik::runtime {

class RegistrySession {
 public:
  RegistrySession(const Reference& reference, const TransferOptions& options);

  // Sends to /v2/<repository>/<path>. Answers of any status but those that mean failure of the
  // session itself (no connection, no authentication).
  Result<HttpResponse> request(HttpRequest request, const std::string& path,
                               const HttpClient::BodySink& sink = {});
  // The same to a URL that the registry gave (an upload's location).
  Result<HttpResponse> request_at(HttpRequest request, const Url& url,
                                  const HttpClient::BodySink& sink = {});
  Result<Url> resolve(std::string_view location) const;

  // An answer that is not what was wanted, as an Error with the registry's own words.
  Error failure(const HttpResponse& response, std::string_view what) const;

 private:
  Status find_scheme();
  Result<std::string> token(const AuthChallenge& challenge);
  Status authenticate(const HttpResponse& refused);

  Reference reference_;
  const TransferOptions& options_;
  HttpClient client_;
  Url base_;  // target: /v2/<repository>/
  bool scheme_known_ = false;
  std::string authorization_;  // header value
};

}  // namespace minik::runtime
