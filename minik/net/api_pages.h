// ApiPages: what a server says about itself and its API outside of any resource: /version,
// /healthz, /livez, /readyz, discovery, OpenAPI, the key set of ServiceAccount tokens.
//
// Discovery and OpenAPI come from the schema and from what other API servers say of themselves, so each document is
// made once, when first asked for, and kept as text until one of the two changes. Any thread may ask; health is asked of the process through a function that
// must be as free. /metrics belongs to the control thread and is ApiFront's.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "control/api/api_aggregator.h"
#include "control/api/http.h"
#include "control/base/result.h"
#include "control/schema/schema.h"
#include "minik/net/http_message.h"

namespace minik {

class HttpsExtensionServers;

struct ApiPagesOptions {
  std::string server_address = "127.0.0.1:6443";  // as clients reach it
  std::string git_version = "v1.35.0";            // of the Kubernetes API that is served
  std::string issuer = {};                        // of ServiceAccount tokens
  std::string jwks = {};
  // Of other API servers, whose groups are told of beside ours; null: there are none. It outlives the pages.
  const HttpsExtensionServers* extension_servers = nullptr;
};

class ApiPages {
 public:
  // Serves every resource that the schema has at each moment; it outlives the pages.
  ApiPages(const control::Schema& schema, ApiPagesOptions options);
  ApiPages(const ApiPages&) = delete;
  ApiPages& operator=(const ApiPages&) = delete;

  // Nothing for a path that is no page.
  std::optional<HttpResponse> page(const control::PlainCall& call);

 private:
  struct Document {
    std::string content_type;
    std::string body;
    std::string etag;
  };
  enum class Form { kPlain, kAggregated, kProtobuf };
  std::shared_ptr<const Document> document(const std::string& path, Form form);
  std::optional<Document> make(const std::string& path, Form form);
  std::optional<control::Value> discovery(const std::vector<std::string_view>& parts,
                                          bool aggregated) const;
  std::optional<control::Value> openapi(const std::vector<std::string_view>& parts);
  std::shared_ptr<const control::RemoteApis> remote_apis() const;
  std::optional<HttpResponse> health(const control::PlainCall& call) const;

  const ApiPagesOptions options_;
  const control::Schema& schema_;
  std::mutex mutex_;
  uint64_t generation_ = 0;  // of custom kinds and other servers, which the documents are made of
  // By path; aggregated ones behind a mark. Only what exists is kept: the set is bounded by the
  // schema.
  std::map<std::string, std::shared_ptr<const Document>> documents_;
};

}  // namespace minik
