#include "minik/net/api_pages.h"

#include <algorithm>
#include <utility>

#include "control/api/remote_discovery.h"
#include "control/base/text.h"
#include "control/object/json.h"
#include "control/schema/discovery.h"
#include "control/schema/kind_registry.h"
#include "control/schema/openapi.h"
#include "minik/net/extension_servers.h"
#include "minik/net/openapi_protobuf.h"

namespace minik {
namespace {

using control::Value;

constexpr const char* kJson = "application/json";
constexpr const char* kAggregated =
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

Value version_document(const std::string& git_version) {
  // "v1.35.0" names the major and the minor version.
  const auto parts = split(std::string_view(git_version).substr(1), '.');
  return Value::map({{"major", parts[0]},
                     {"minor", parts.size() > 1 ? parts[1] : std::string_view("0")},
                     {"gitVersion", git_version},
                     {"gitCommit", ""},
                     {"gitTreeState", "clean"},
                     {"buildDate", "1970-01-01T00:00:00Z"},
                     {"goVersion", "none"},
                     {"compiler", "g++"},
                     {"platform", "linux/amd64"}});
}

Value root_document() {
  std::vector<Value> paths;
  for (const char* path : {"/api", "/apis", "/healthz", "/livez", "/metrics", "/openapi/v2",
                           "/openapi/v3", "/readyz", "/version"}) {
    paths.emplace_back(path);
  }
  return Value::map({{"paths", Value::array(std::move(paths))}});
}

Value openid_document(const std::string& issuer, const std::string& address) {
  return Value::map({{"issuer", issuer},
                     {"jwks_uri", cat("https://", address, "/openid/v1/jwks")},
                     {"response_types_supported", Value::array({"id_token"})},
                     {"subject_types_supported", Value::array({"public"})},
                     {"id_token_signing_alg_values_supported", Value::array({"ES256"})}});
}

// Changes when the content does; nobody gains by finding another content with the same.
std::string content_hash(std::string_view content) {
  constexpr uint64_t kOtherSeed = 0x9e3779b97f4a7c15ULL;
  const uint64_t halves[] = {fnv1a_64(content), fnv1a_64(content, kOtherSeed)};
  return to_hex({reinterpret_cast<const char*>(halves), sizeof halves});
}

// Absent documents are pages that are not there.
std::optional<Value> present(Value document) {
  if (document.is_absent()) return std::nullopt;
  return document;
}

}  // namespace

ApiPages::ApiPages(const control::Schema& schema, ApiPagesOptions options)
    : options_(std::move(options)), schema_(schema) {}

// /livez, /readyz and /healthz, each with single checks below it: `?verbose` lists them, `?exclude=NAME` leaves one out.
// Whoever answers has recovered the store, which is in memory: all checks hold.
std::optional<HttpResponse> ApiPages::health(const control::PlainCall& call) const {
  const std::string_view path = call.path;
  const auto page = path.substr(0, path.find('/', 1)), check = path.substr(page.size());
  std::vector<std::string_view> checks{"ping", "log", "etcd"};
  if (page == "/readyz") checks.emplace_back("informer-sync");
  if (!check.empty() && check != "/") {
    if (std::ranges::find(checks, check.substr(1)) == checks.end()) return std::nullopt;
    checks = {check.substr(1)};
  }
  bool verbose = false;
  std::string lines;
  for (const auto& [name, value] : call.parameters) {
    verbose = verbose || name == "verbose";
    if (name != "exclude") continue;
    const bool known = std::erase(checks, value) > 0;
    lines += known ? cat("[+]", value, " excluded: ok\n") : cat("warn: some health checks cannot be excluded: no matches for \"", value, "\"\n");
  }
  for (const auto name : checks) lines += cat("[+]", name, " ok\n");
  return HttpResponse::text(200, verbose ? cat(lines, page.substr(1), " check passed\n") : std::string("ok"));
}

std::optional<HttpResponse> ApiPages::page(const control::PlainCall& call) {
  for (const std::string_view page : {"/livez", "/readyz", "/healthz"}) {
    if (call.path.starts_with(page) && (call.path.size() == page.size() || call.path[page.size()] == '/')) return health(call);
  }
  const Form form = call.aggregated_discovery ? Form::kAggregated
                    : call.openapi_protobuf   ? Form::kProtobuf
                                              : Form::kPlain;
  const auto found = document(call.path, form);
  if (!found) return std::nullopt;
  const bool known = !call.if_none_match.empty() && call.if_none_match == found->etag;
  if (known) return HttpResponse{304, {{"etag", found->etag}}, ""};
  // The version is for people whoever asks, the many pages of OpenAPI are for none.
  const bool indented = call.path == "/version" || (call.format.pretty && !call.path.starts_with("/openapi/"));
  const auto document = indented ? control::parse_json(found->body) : Error(ErrorCode::kBadRequest, "");
  return HttpResponse{200,
                      {{"content-type", found->content_type}, {"etag", found->etag}, {"vary", "Accept"}},
                      document ? control::to_pretty_json(*document) : found->body};
}

std::shared_ptr<const ApiPages::Document> ApiPages::document(const std::string& path, Form form) {
  const std::string key = cat(path, form == Form::kAggregated ? "#" : form == Form::kProtobuf ? "%" : "");
  // Looked at before the kinds are: a document may be newer than it says, never older.
  const uint64_t of_others = options_.extension_servers ? options_.extension_servers->generation() : 0;
  const uint64_t generation = of_others + (schema_.registry() ? schema_.registry()->generation() : 1);
  {
    const std::lock_guard lock(mutex_);
    if (generation_ != generation) {
      documents_.clear();
      generation_ = generation;
    }
    if (const auto found = documents_.find(key); found != documents_.end()) return found->second;
  }
  auto made = make(path, form);
  if (!made) return nullptr;
  made->etag = cat("\"", content_hash(made->body), "\"");
  auto kept = std::make_shared<const Document>(*std::move(made));
  const std::lock_guard lock(mutex_);
  if (generation_ != generation) return kept;  // the kinds have changed meanwhile
  return documents_.emplace(key, std::move(kept)).first->second;
}

std::optional<ApiPages::Document> ApiPages::make(const std::string& path, Form form) {
  std::vector<std::string_view> parts;
  for (const std::string_view part : split(path, '/')) {
    if (!part.empty()) parts.push_back(part);
  }
  std::optional<Value> value;
  std::string content_type = kJson;
  if (parts.empty()) {
    value = root_document();
  } else if (path == "/version" || path == "/version/") {
    value = version_document(options_.git_version);
  } else if (path == "/openid/v1/jwks") {
    return Document{"application/jwk-set+json", options_.jwks, ""};
  } else if (path == "/.well-known/openid-configuration") {
    value = openid_document(options_.issuer, options_.server_address);
  } else if (parts[0] == "api" || parts[0] == "apis") {
    const bool whole = form == Form::kAggregated && parts.size() == 1;
    value = discovery(parts, whole);
    if (whole) content_type = kAggregated;
  } else if (parts[0] == "openapi") {
    value = openapi(parts);
    if (value && form == Form::kProtobuf && parts.size() == 2 && parts[1] == "v2") {
      return Document{std::string(kOpenApiProtobuf), openapi_v2_protobuf(*value), ""};
    }
  }
  if (!value) return std::nullopt;
  return Document{content_type, control::to_json(*value), ""};
}

std::shared_ptr<const control::RemoteApis> ApiPages::remote_apis() const {
  return options_.extension_servers ? options_.extension_servers->apis() : std::make_shared<const control::RemoteApis>();
}

std::optional<Value> ApiPages::discovery(const std::vector<std::string_view>& parts,
                                         bool aggregated) const {
  const bool core = parts[0] == "api";
  const auto enabled = schema_.served();
  const auto others = remote_apis();
  if (aggregated && core) return control::discover_all(enabled, control::DiscoveryPart::kCore);
  if (aggregated) {
    return control::with_remote_discovery(control::discover_all(enabled, control::DiscoveryPart::kGroups), *others);
  }
  if (parts.size() == 1) {
    return core ? control::discover_core_versions(options_.server_address)
                : control::with_remote_groups(control::discover_groups(enabled), *others);
  }
  if (core && parts.size() == 2) return present(discover_resources(enabled, "", parts[1]));
  if (!core && parts.size() == 2) {
    return present(control::with_remote_versions(discover_group(enabled, parts[1]), parts[1], *others));
  }
  if (!core && parts.size() == 3) {
    return present(discover_resources(enabled, parts[1], parts[2]));
  }
  return std::nullopt;
}

std::optional<Value> ApiPages::openapi(const std::vector<std::string_view>& parts) {
  const auto enabled = schema_.served();
  const auto others = remote_apis();
  if (parts.size() == 2 && parts[1] == "v2") return control::with_remote_openapi_v2(control::openapi_v2(enabled), *others);
  if (parts.size() < 2 || parts[1] != "v3") return std::nullopt;
  if (parts.size() == 2) {
    const auto hash_of = [this](const std::string& path) {
      const auto found = document(cat("/openapi/v3/", path), Form::kPlain);
      return found ? content_hash(found->body) : std::string();
    };
    return control::with_remote_openapi_v3(control::openapi_v3_index(enabled, hash_of), *others, hash_of);
  }
  if (parts.size() == 4 && parts[2] == "api") {
    return present(control::openapi_v3(enabled, "", parts[3]));
  }
  if (parts.size() == 5 && parts[2] == "apis") {
    if (const auto* remote = control::find_remote(*others, parts[3], parts[4])) return present(control::remote_openapi_v3(*remote));
    return present(control::openapi_v3(enabled, parts[3], parts[4]));
  }
  return std::nullopt;
}

}  // namespace minik
