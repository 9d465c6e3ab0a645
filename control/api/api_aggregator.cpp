#include "control/api/api_aggregator.h"

#include <algorithm>
#include <utility>

#include "control/api/api_server.h"
#include "control/api/local_api_services.h"
#include "control/api/writer.h"
#include "control/base/check.h"
#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

constexpr Duration kCheckPeriod = seconds(30);
constexpr Duration kFirstRetry = milliseconds(500), kLastRetry = seconds(30);
// Documents change with the server's version, which seldom comes without new pods.
constexpr int kChecksPerReading = 2;

std::string at_service(const RemoteApi& api) { return cat("service/", api.service, " in ", quoted(api.namespace_)); }

std::string_view service_of(const Value& slice) {
  return slice[keys::kMetadata][keys::kLabels]["kubernetes.io/service-name"].as_string();
}

RemoteApi read_api(const Value& object) {
  const Value& spec = object[keys::kSpec];
  const Value& service = spec.get("service");
  RemoteApi api;
  api.name = object_name(object);
  api.group = spec[keys::kGroup].string();
  api.version = spec[keys::kVersion].string();
  api.namespace_ = service[keys::kNamespace].string();
  api.service = service[keys::kName].string();
  api.port = service[keys::kPort].as_int(443);
  api.ca_bundle = from_base64(spec.get("caBundle").string()).value_or("");
  api.skip_tls_verify = spec.get("insecureSkipTLSVerify").as_bool();
  for (const Value& condition : object[keys::kStatus][keys::kConditions].items()) {
    if (condition[keys::kType].as_string() == "Available") api.available = condition[keys::kStatus].as_string() == "True";
  }
  return api;
}

}  // namespace

struct ApiAggregator::Verdict {
  bool available;
  std::string reason, message;
};

struct ApiAggregator::Entry {
  explicit Entry(Executor& executor) : look_again(executor) {}
  Value spec;
  std::string uid;
  RemoteApi api;
  bool changed = true;  // itself or what its Service has, since it was judged last
  uint64_t turn = 0;  // of the probe that counts: what an earlier one finds is old
  bool probing = false, again = false;
  int checks = 0;  // well ones in a row
  Duration retry = kFirstRetry;
  ScopedTimer look_again;
};

ApiAggregator::ApiAggregator(ApiServer& server, Executor& executor, Store& store, ExtensionServers* edge)
    : server_(server), executor_(executor), store_(store), edge_(edge), alive_(std::make_shared<bool>(true)) {
  follow(kinds::kApiservices, [this](const StoreEvent&) { schedule(); });
  if (store_.count(kinds::kApiservices) > 0) schedule();
}

ApiAggregator::~ApiAggregator() {
  *alive_ = false;
  for (const StoreWatchId watch : watches_) store_.unwatch(watch);
}

bool ApiAggregator::is_remote(const Value& api_service) { return api_service[keys::kSpec].get("service").is_map(); }

void ApiAggregator::follow(KindId kind, std::function<void(const StoreEvent&)> on_event) {
  auto watch = store_.watch(kind, store_.durable_revision(), {}, std::move(on_event));
  CHECK(watch.ok()) << "a watch from now";
  watches_.push_back(*watch);
}

void ApiAggregator::service_changed(std::string_view namespace_, std::string_view service) {
  for (const auto& [name, entry] : entries_) {
    if (entry->api.namespace_ != namespace_ || entry->api.service != service) continue;
    entry->changed = true;
    schedule();
  }
}

void ApiAggregator::schedule() {
  if (std::exchange(scheduled_, true)) return;
  executor_.post([this, alive = alive_] {
    if (!*alive) return;
    scheduled_ = false;
    sync();
  });
}

ApiAggregator::Entry* ApiAggregator::find(const std::string& name) {
  const auto found = entries_.find(name);
  return found == entries_.end() ? nullptr : found->second.get();
}

void ApiAggregator::sync() {
  std::map<std::string, Value> wanted;
  store_.for_each(kinds::kApiservices, [&](const Value& object) {
    if (is_remote(object)) wanted.emplace(object_name(object), object);
  });
  bool changed = std::erase_if(entries_, [&](const auto& entry) { return !wanted.contains(entry.first); }) > 0;
  // Most clusters have none, and shall not hear of each endpoint for it.
  if (!wanted.empty() && !std::exchange(follows_services_, true)) {
    follow(kinds::kServices, [this](const StoreEvent& event) {
      service_changed(object_namespace(event.object), object_name(event.object));
    });
    follow(kinds::kEndpointslices, [this](const StoreEvent& event) {
      service_changed(object_namespace(event.object), service_of(event.object));
    });
  }
  for (const auto& [name, object] : wanted) {
    auto& entry = entries_[name];
    if (!entry) entry = std::make_unique<Entry>(executor_);
    if (entry->spec == object[keys::kSpec] && entry->uid == object_uid(object)) continue;
    entry->spec = object[keys::kSpec];
    entry->uid = object_uid(object);
    entry->api = read_api(object);
    entry->checks = 0;
    entry->retry = kFirstRetry;
    entry->changed = changed = true;
  }
  if (changed) publish();
  for (const auto& [name, entry] : entries_) {
    if (std::exchange(entry->changed, false)) judge(*entry);
  }
}

std::optional<ApiAggregator::Verdict> ApiAggregator::fault_in_cluster(const RemoteApi& api) const {
  const auto no = [](std::string_view reason, std::string message) {
    return Verdict{false, std::string(reason), std::move(message)};
  };
  const Value& service = store_.find(kinds::kServices, api.namespace_, api.service);
  if (service.is_absent()) return no("ServiceNotFound", cat(at_service(api), " is not present"));
  const Value& spec = service[keys::kSpec];
  if (spec[keys::kType].as_string("ClusterIP") != "ClusterIP") return std::nullopt;
  const auto ports = spec[keys::kPorts].items();
  const auto port = std::find_if(ports.begin(), ports.end(),
                                 [&](const Value& one) { return one[keys::kPort].as_int() == api.port; });
  if (port == ports.end()) return no("ServicePortError", cat(at_service(api), " is not listening on port ", api.port));
  const auto slices = store_.list(kinds::kEndpointslices, api.namespace_);
  const bool any = std::any_of(slices->objects.begin(), slices->objects.end(), [&](const Value& slice) {
    return service_of(slice) == api.service;
  });
  if (!any) return no("EndpointsNotFound", cat("cannot find endpointslices for ", at_service(api)));
  const std::string port_name = (*port)[keys::kName].string();
  if (ready_endpoints(store_, api.namespace_, api.service, port_name).empty()) {
    return no("MissingEndpoints",
              cat("endpointslices for ", at_service(api), " have no addresses with port name ", quoted(port_name)));
  }
  return std::nullopt;
}

void ApiAggregator::judge(Entry& entry) {
  if (const auto fault = fault_in_cluster(entry.api)) {
    ++entry.turn;
    entry.probing = false;
    entry.checks = 0;
    entry.retry = kFirstRetry;
    entry.look_again.cancel();  // a change of the cluster wakes us
    return conclude(entry, *fault);
  }
  if (entry.probing) {
    entry.again = true;
  } else {
    probe(entry.api.name);
  }
}

void ApiAggregator::probe(const std::string& name) {
  Entry* entry = find(name);
  if (entry == nullptr) return;
  const uint64_t turn = ++entry->turn;
  entry->probing = true;
  entry->again = false;
  entry->look_again.cancel();
  auto endpoints = service_endpoints(store_, entry->api.namespace_, entry->api.service, cat(entry->api.port));
  if (!edge_ || !endpoints) {
    const Error error = endpoints ? Error(ErrorCode::kServiceUnavailable, "no network leads there") : endpoints.error();
    return probed(name, turn, error);
  }
  ExtensionServers::Fetch fetch;
  fetch.endpoints = *std::move(endpoints);
  fetch.path = cat("/apis/", entry->api.group, "/", entry->api.version);
  // Whether it is there; whether it is who it should be is asked wherever its answer counts.
  fetch.trust = ExtensionServers::Trust::kAnybody;
  edge_->fetch(entry->api, std::move(fetch), [this, alive = alive_, name, turn](const Result<ExtensionServers::Answer>& answer) {
    if (*alive) probed(name, turn, answer);
  });
}

void ApiAggregator::probed(const std::string& name, uint64_t turn, const Result<ExtensionServers::Answer>& answer) {
  Entry* entry = find(name);
  if (entry == nullptr || entry->turn != turn) return;
  entry->probing = false;
  const std::string url = cat("https://", entry->api.server_name(), ":", entry->api.port, "/apis/", entry->api.group, "/",
                              entry->api.version);
  std::string why;
  if (!answer) {
    why = answer.error().message;
  } else if (answer->status < 200 || answer->status >= 300) {
    why = cat("bad status from ", url, ": ", answer->status);
  }
  const bool well = why.empty();
  conclude(*entry, well ? Verdict{true, "Passed", "all checks passed"}
                        : Verdict{false, "FailedDiscoveryCheck", cat("failing or missing response from ", url, ": ", why)});
  if (well && entry->checks++ % kChecksPerReading == 0) read_documents(name);
  if (!well) entry->checks = 0;
  // Without an edge only a change of the cluster can bring news.
  if (!edge_) return;
  const Duration wait = entry->again ? kFirstRetry : well ? kCheckPeriod : entry->retry;
  entry->retry = well ? kFirstRetry : std::min(entry->retry + entry->retry, kLastRetry);
  entry->look_again.arm(wait, [this, name] { probe(name); });
}

void ApiAggregator::read_documents(const std::string& name) {
  const RemoteApi& api = find(name)->api;
  const std::string path = cat("/apis/", api.group, "/", api.version);
  read_document(name, path, [](RemoteApi& to, Value document) {
    to.fresh = document.get("resources").is_array();
    if (to.fresh) to.resources = std::move(document);
  });
  read_document(name, cat("/openapi/v3", path), [](RemoteApi& to, Value document) { to.openapi_v3 = std::move(document); });
  read_document(name, "/openapi/v2", [](RemoteApi& to, Value document) { to.openapi_v2 = std::move(document); });
}

void ApiAggregator::read_document(const std::string& name, const std::string& path, Keep keep) {
  const RemoteApi& api = find(name)->api;
  auto endpoints = service_endpoints(store_, api.namespace_, api.service, cat(api.port));
  if (!endpoints) return;
  ExtensionServers::Fetch fetch;
  fetch.endpoints = *std::move(endpoints);
  fetch.path = path;
  edge_->fetch(api, std::move(fetch), [this, alive = alive_, name, keep = std::move(keep)](const Result<ExtensionServers::Answer>& answer) {
    Entry* entry = *alive ? find(name) : nullptr;
    if (entry == nullptr) return;
    Value document;
    if (answer && answer->status == 200) {
      if (auto parsed = parse_json(answer->body); parsed && parsed->is_map()) document = *std::move(parsed);
    }
    keep(entry->api, std::move(document));
    publish();
  });
}

void ApiAggregator::conclude(Entry& entry, const Verdict& verdict) {
  if (entry.api.available != verdict.available) {
    entry.api.available = verdict.available;
    if (!verdict.available) entry.api.fresh = false;
    publish();
  }
  const Value stored = store_.find(kinds::kApiservices, "", entry.api.name);
  if (stored.is_absent()) return;
  const Value next = with_available(stored, {verdict.available, verdict.reason, verdict.message}, executor_.wall_now());
  if (next == stored) return;
  ApiRequest request;
  request.verb = Verb::kUpdate;
  request.kind = kinds::kApiservices;
  request.name = entry.api.name;
  request.subresource = "status";
  request.user = component_user("system:apiserver");
  Writer(server_, request).store_update(next, stored);
  server_.schedule_commit();
}

bool ApiAggregator::is_offered(const RemoteApi& api) const {
  if (api.group.empty()) return false;
  return api.group == "metrics.k8s.io" || !is_built_in(server_.schema(), api.group, api.version);
}

void ApiAggregator::publish() {
  if (!edge_) return;
  auto apis = std::make_shared<RemoteApis>();
  for (const auto& [name, entry] : entries_) {
    if (is_offered(entry->api)) apis->push_back(entry->api);
  }
  edge_->publish(std::move(apis));
}

}  // namespace minik::control
