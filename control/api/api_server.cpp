#include "control/api/api_server.h"

#include <algorithm>
#include <utility>

#include "control/api/admission.h"
#include "control/api/admission_gate.h"
#include "control/api/api_aggregator.h"
#include "control/api/component_status.h"
#include "control/api/continue_token.h"
#include "control/api/custom_resources.h"
#include "control/api/errors.h"
#include "control/api/field_selection.h"
#include "control/api/flow_control.h"
#include "control/api/flow_control_keeper.h"
#include "control/api/local_api_services.h"
#include "control/api/metadata.h"
#include "control/api/metrics_api.h"
#include "control/api/request_metrics.h"
#include "control/api/subresources.h"
#include "control/api/twin_kinds.h"
#include "control/api/writer.h"
#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/keys.h"
#include "control/object/refusal_warnings.h"
#include "control/object/selector.h"
#include "control/schema/custom_kind.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

constexpr std::string_view kNodeNameIndex = "spec.nodeName";
constexpr std::string_view kNameIndex = "metadata.name";

std::string_view node_of_pod(const Value& pod) {
  return pod[keys::kSpec][keys::kNodeName].as_string();
}

// The place in a snapshot, which is sorted by namespace and name, where a list goes on.
size_t first_after(const std::vector<Value>& objects, const ContinueToken& token) {
  const auto place = [](const Value& object) { return std::pair(object_namespace(object), object_name(object)); };
  const auto wanted = std::pair<std::string_view, std::string_view>(token.namespace_, token.name);
  return static_cast<size_t>(std::ranges::upper_bound(objects, wanted, {}, place) - objects.begin());
}

// Between the reading of a request and its turn its kind may have been withdrawn.
Error not_served() { return Error(ErrorCode::kNotFound, "the server could not find the requested resource"); }

void warn_of_deprecation(const ResourceInfo& resource, ApiResponse& response) {
  if (!resource.custom || resource.custom->deprecation_warning().empty()) return;
  response.warnings.emplace_back(resource.custom->deprecation_warning());
}

}  // namespace

UserInfo component_user(std::string name) {
  return {std::move(name), {}, {"system:masters", "system:authenticated"}, {}};
}

ApiServer::ApiServer(Executor& executor, Store& store, const Schema& schema,
                     MetricRegistry& metrics, Rng rng, ApiServerOptions options)
    : executor_(executor),
      store_(store),
      schema_(schema),
      metrics_(metrics),
      access_(store),
      rng_(rng),
      options_(std::move(options)),
      event_timer_(executor),
      admission_(std::make_unique<Admission>(store, schema, executor, options_.service_cidr_prefix)),
      usage_(std::make_unique<MetricsApi>(executor, store, schema)),
      counts_(std::make_unique<RequestMetrics>(executor, metrics, schema, store)),
      alive_(std::make_shared<bool>(true)) {
  store_.add_index(kinds::kPods, kNodeNameIndex, node_of_pod);
  store_.add_index(kinds::kNodes, kNameIndex, object_name);
  for (const KindId kind : {kinds::kEvents, kinds::kLeases}) store_.keep_unshared(kind);
  admission_->load();
  gates_ = std::make_unique<GatePool>(executor_, store_, schema_, options_.webhook_caller, rng_.fork("webhooks"));
  custom_ = std::make_unique<CustomResources>(*this, executor_, store_, schema_.registry());
  aggregator_ = std::make_unique<ApiAggregator>(*this, executor_, store_, options_.extension_servers);
  event_timer_.arm(minutes(5), [this] { expire_events(); });
}

ApiServer::~ApiServer() { *alive_ = false; }

FlowClassifier& ApiServer::flow_classifier() {
  if (!flows_) flows_ = std::make_unique<FlowClassifier>(store_, schema_);
  return *flows_;
}

void ApiServer::set_usage_source(UsageSource source) { usage_->set_source(std::move(source)); }

// A request that webhooks or policies may want to see; see admission_gate.h.
struct ApiServer::GatedRequest {
  ApiRequest request;
  std::shared_ptr<AdmissionGate> gate;
  std::function<void(Result<ApiResponse>)> finish;
  int attempts = 0;  // for one object
  size_t gone = 0;   // of a collection
};

void ApiServer::handle(ApiRequest request, ResponseCallback done) {
  // Who wants to open a connection is told whether users' webhooks and policies let him; connect() does the rest.
  if (request.verb == Verb::kConnect) {
    auto gate = gates_->gate_for(request);
    if (!gate) return done(ApiResponse{});
    return attempt(std::make_shared<GatedRequest>(GatedRequest{std::move(request), std::move(gate), std::move(done)}));
  }
  if (custom_->conversion().concerns(request)) return custom_->conversion().handle(std::move(request), std::move(done));
  begin_audit(request);
  if (request.audit && options_.auditor) {
    done = [this, alive = alive_, audit = request.audit, kind = request.kind, done = std::move(done)](Result<ApiResponse> result) {
      if (*alive) end_audit(audit, kind, result);
      done(std::move(result));
    };
  }
  const auto running = counts_->begin(request);
  if (MetricsApi::serves(request.kind)) {
    ask_usage(request, [this, alive = alive_, running, done = std::move(done)](Result<ApiResponse> result) {
      if (*alive) counts_->end(running, result);
      done(std::move(result));
    });
    return;
  }
  auto gate = gates_->gate_for(request);
  auto finish = [this, running, kind = request.kind, verb = request.verb,
                 done = std::move(done)](Result<ApiResponse> result) mutable {
    if (result) warn_of_deprecation(schema_.resource(kind), *result);
    if (store_.has_staged()) schedule_commit();
    // What a get shows may be durable although younger writes are not yet.
    const bool shows_durable = verb == Verb::kGet && result && object_revision(result->object).value != 0 &&
                               object_revision(result->object) <= store_.durable_revision();
    if (shows_durable || store_.durable_revision() == store_.revision()) {
      counts_->end(running, result);
      done(std::move(result));
      return;
    }
    // Reads wait as well: what they saw, or saw missing, may still be on its way to the disk.
    store_.when_durable([this, alive = alive_, running, done = std::move(done), result = std::move(result)]() mutable {
      if (*alive) counts_->end(running, result);
      done(std::move(result));
    });
  };
  if (!gate) return finish(dispatch(request));
  attempt(std::make_shared<GatedRequest>(GatedRequest{std::move(request), std::move(gate), std::move(finish)}));
}

void ApiServer::attempt(const std::shared_ptr<GatedRequest>& gated) {
  // For one object, as often as a kube-apiserver tries a patch, for each webhook that may be asked in turn.
  constexpr int kAttemptsMax = 100;
  AdmissionGate& gate = *gated->gate;
  gate.begin();
  gate_ = &gate;
  ApiRequest request = gated->request;
  auto result = dispatch(request);
  gate_ = nullptr;
  if (gate.waiting()) {
    // What was deleted of a collection before the question stays so.
    if (store_.has_staged()) schedule_commit();
    if (std::exchange(gated->gone, gate.collection().gone) != gate.collection().gone) gated->attempts = 0;
    if (++gated->attempts < kAttemptsMax) {
      gate.ask([this, alive = alive_, gated] {
        if (*alive) attempt(gated);
      });
      return;
    }
    result = Error(ErrorCode::kConflict, "the object has been modified again and again while admission webhooks were asked; try again");
  }
  if (result) {
    result->warnings.insert(result->warnings.end(), gate.warnings().begin(), gate.warnings().end());
  } else {
    result = with_warnings(std::move(result).error(), gate.warnings());
  }
  if (const auto& audit = gated->request.audit) {
    for (const auto& [key, value] : gate.annotations()) audit->annotate(key, value);
  }
  gated->finish(std::move(result));
}

void ApiServer::ask_usage(const ApiRequest& request, ResponseCallback done) {
  const Status allowed = authorize(request);
  allowed.ok() ? usage_->handle(request, std::move(done)) : done(allowed.error());
}

void ApiServer::schedule_commit() {
  if (commit_scheduled_) return;
  commit_scheduled_ = true;
  executor_.post([this, alive = alive_] {
    if (!*alive) return;
    commit_scheduled_ = false;
    store_.commit();
    store_.when_durable([this, alive, began = executor_.now()] {
      if (*alive) counts_->committed(executor_.now() - began);
    });
  });
}

Result<ApiResponse> ApiServer::dispatch(ApiRequest& request) {
  if (!schema_.is_served(request.kind)) return not_served();
  // What is done through a proxy is what its method does; who opens it asks for that (ApiServer::may_connect).
  const bool proxies = request.verb == Verb::kConnect && request.subresource == "proxy";
  if (!proxies) MINIK_TRY(authorize(request));
  return perform(request);
}

Result<ApiResponse> ApiServer::perform(ApiRequest& request) {
  const auto& resource = schema_.resource(request.kind);
  if (const TwinKind* twin = twin_of(request.kind)) return perform_twin(*twin, request);
  if (resource.custom) MINIK_TRY(custom_->check(resource, request));
  if (request.verb == Verb::kConnect) {
    MINIK_ASSIGN(Value options, Writer(*this, request).reviewed_part(Operation::kConnect, request.body, Value()));
    return ApiResponse{std::move(options), false, false, {}};
  }
  if (!request.subresource.empty() && request.subresource != "status") {
    return Subresources(*this, request).handle();
  }
  if (Subresources::is_review(resource)) return Subresources(*this, request).review();
  if (resource.id == kinds::kBindings && request.verb == Verb::kCreate) {
    request.kind = kinds::kPods;
    request.name = object_name(request.body);
    request.subresource = "binding";
    return Subresources(*this, request).handle();
  }
  if (resource.id == kinds::kComponentstatuses) return component_status(request);
  if (!resource.type) {
    return Error(ErrorCode::kMethodNotAllowed, cat(resource.plural, " cannot be stored"));
  }
  switch (request.verb) {
    case Verb::kGet: return get(request);
    case Verb::kList: return list(request);
    case Verb::kCreate:
    case Verb::kUpdate:
    case Verb::kPatch:
    case Verb::kDelete:
    case Verb::kDeleteCollection: return Writer(*this, request).write();
    case Verb::kWatch:
    case Verb::kConnect: break;
  }
  return Error(ErrorCode::kMethodNotAllowed,
               "the server does not allow this method on the requested resource");
}

const Value& ApiServer::cluster_began() const {
  return store_.find(kinds::kNamespaces, "", "kube-system")[keys::kMetadata][keys::kCreationTimestamp];
}

Result<ApiResponse> ApiServer::get(const ApiRequest& request) {
  Value found = store_.find(request.kind, request.namespace_, request.name);
  if (found.is_absent() && request.kind == kinds::kApiservices) {
    found = local_api_service(schema_, request.name, cluster_began());
  }
  if (found.is_absent()) return not_found(schema_.resource(request.kind), request.name);
  return ApiResponse{std::move(found), false, false, {}};
}

// The newest objects that the selector can match: one where it names it, without a look at all the others.
std::shared_ptr<const ListSnapshot> ApiServer::newest(const ApiRequest& request, const FieldSelection& fields) const {
  const std::string_view name = fields.required("metadata.name");
  const bool placed = !schema_.resource(request.kind).namespaced || !request.namespace_.empty();
  if (name.empty() || !placed) return store_.list(request.kind, request.namespace_);
  auto one = std::make_shared<ListSnapshot>();
  one->revision = store_.revision();
  if (const Value& found = store_.find(request.kind, request.namespace_, name); found.has_value()) {
    one->objects.push_back(found);
  }
  return one;
}

// What a watch begins with: as of the revision from which it is told of changes, so that nothing is told twice and
// nothing goes back in time.
std::shared_ptr<const ListSnapshot> ApiServer::durable(const ApiRequest& request, const FieldSelection& fields) const {
  const std::string_view name = fields.required("metadata.name");
  const bool placed = !schema_.resource(request.kind).namespaced || !request.namespace_.empty();
  if (name.empty() || !placed) return store_.list_durable(request.kind, request.namespace_);
  auto one = std::make_shared<ListSnapshot>();
  one->revision = store_.durable_revision();
  if (Value found = store_.find_durable(request.kind, request.namespace_, name); found.has_value()) {
    one->objects.push_back(std::move(found));
  }
  return one;
}

// The newest version, unless exactly another was asked for and is still known.
Result<std::shared_ptr<const ListSnapshot>> ApiServer::first_page(const ApiRequest& request, const FieldSelection& fields) {
  const auto& text = request.options.resource_version;
  if (text.empty() || text == "0") return newest(request, fields);
  const auto wanted = parse_revision(text);
  if (!wanted) return Error(ErrorCode::kBadRequest, cat("invalid resource version ", quoted(text)));
  if (*wanted > store_.revision()) {
    Error error(ErrorCode::kTimeout, cat("Too large resource version: ", wanted->value,
                                         ", current: ", store_.revision().value));
    error.causes.push_back({"ResourceVersionTooLarge", "Too large resource version", ""});
    error.retry_after_seconds = 1;
    return error;
  }
  if (request.options.resource_version_match != "Exact") return newest(request, fields);
  auto exact = store_.list_at(request.kind, request.namespace_, *wanted);
  if (!exact) return Error(ErrorCode::kExpired, "The resourceVersion for the provided list is too old.");
  return exact;
}

Result<ApiResponse> ApiServer::list(const ApiRequest& request) {
  const auto& resource = schema_.resource(request.kind);
  MINIK_ASSIGN(const auto labels, LabelSelector::parse(request.options.label_selector));
  MINIK_ASSIGN(const auto fields, FieldSelection::parse(resource, request.options.field_selector));
  std::shared_ptr<const ListSnapshot> snapshot;
  size_t start = 0;
  if (request.options.continue_token.empty()) {
    MINIK_ASSIGN(snapshot, first_page(request, fields));
  } else {
    if (!request.options.resource_version.empty() && request.options.resource_version != "0") {
      return Error(ErrorCode::kBadRequest, "specifying resource version is not allowed when using continue");
    }
    const auto token = decode_continue(request.options.continue_token);
    if (!token) return Error(ErrorCode::kBadRequest, "continue key is not valid");
    if (token->revision) {
      MINIK_ASSIGN(snapshot, store_.list_at(request.kind, request.namespace_, *token->revision));
    } else {
      snapshot = store_.list(request.kind, request.namespace_);
    }
    start = first_after(snapshot->objects, *token);
  }
  const bool all = labels.empty() && fields.empty();
  std::vector<Value> items;
  size_t at = start;
  const size_t limit = request.options.limit > 0 ? static_cast<size_t>(request.options.limit) : SIZE_MAX;
  if (all && limit == SIZE_MAX && start == 0) {
    items = snapshot->objects;
    at = items.size();
  }
  for (; at < snapshot->objects.size() && items.size() < limit; ++at) {
    const auto& object = snapshot->objects[at];
    if (all || (labels.matches(object[keys::kMetadata][keys::kLabels]) && fields.matches(object))) {
      items.push_back(object);
    }
  }
  if (request.kind == kinds::kApiservices && at == snapshot->objects.size()) {
    for (auto& service : local_api_services(schema_, cluster_began())) {
      if (store_.find(kinds::kApiservices, "", object_name(service)).has_value()) continue;
      if (labels.matches(service[keys::kMetadata][keys::kLabels]) && fields.matches(service)) items.push_back(std::move(service));
    }
  }
  MapBuilder metadata;
  metadata.set(keys::kResourceVersion, cat(snapshot->revision.value));
  if (at < snapshot->objects.size()) {
    store_.keep(request.kind, request.namespace_, snapshot);
    const Value& last = snapshot->objects[at - 1];
    metadata.set(keys::kContinue, encode_continue({snapshot->revision, std::string(object_namespace(last)),
                                                   std::string(object_name(last))}));
    if (all) {
      metadata.set(keys::kRemainingItemCount, static_cast<int64_t>(snapshot->objects.size() - at));
    }
  }
  return ApiResponse{Value::map({{keys::kKind, cat(resource.kind, "List")},
                                 {keys::kApiVersion, resource.api_version},
                                 {keys::kMetadata, std::move(metadata).build()},
                                 {keys::kItems, Value::array(std::move(items))}}),
                     false, false, {}};
}

Result<ConnectTarget> ApiServer::connect(ApiRequest request) {
  begin_audit(request);
  const auto running = counts_->begin(request);
  auto target = connect_target(request);
  counts_->end(running, target ? Result<ApiResponse>(ApiResponse{}) : Result<ApiResponse>(target.error()));
  end_connection_audit(request, target ? nullptr : &target.error());
  return target;
}

Status ApiServer::may_connect(ApiRequest request) {
  begin_audit(request);
  Status allowed = authorize(request);
  end_connection_audit(request, allowed.ok() ? nullptr : &allowed.error());
  return allowed;
}

Result<ConnectTarget> ApiServer::connect_target(const ApiRequest& request) {
  MINIK_TRY(authorize(request));
  const Value& pod = store_.find(kinds::kPods, request.namespace_, request.name);
  if (pod.is_absent()) return not_found(schema_.resource(kinds::kPods), request.name);
  const auto node = node_of_pod(pod);
  if (node.empty()) {
    return Error(ErrorCode::kBadRequest,
                 cat("pod ", request.name, " does not have a host assigned"));
  }
  return ConnectTarget{std::string(node), pod};
}

// One watch: selectors on the way from the store's events to the client's.
struct ApiServer::Watch : WatchHandle {
  Watch(ApiServer& s, WatchCallbacks c) : server(s), alive(s.alive_), callbacks(std::move(c)), timeout(s.executor_), bookmark(s.executor_) {
    number = ++server.watches_begun_;
    server.open_watches_.emplace(number, this);
  }
  ~Watch() override {
    if (!*alive) return;
    server.open_watches_.erase(number);
    server.store_.unwatch(id);
    server.custom_->watch_closed(custom);
    if (counted) server.counts_->watch_closed(kind);
    if (audit) server.options_.auditor->complete(*audit, 200, nullptr, server.executor_.wall_now());
  }

  void tell(WatchEventType type, const Value& object) {
    server.counts_->watch_told(kind);
    callbacks.on_event({type, object});
  }

  bool selects(const Value& object) const {
    return object.has_value() && (name.empty() || object_name(object) == name) &&
           (namespace_.empty() || object_namespace(object) == namespace_) &&
           labels.matches(object[keys::kMetadata][keys::kLabels]) && fields.matches(object);
  }

  void on_store_event(const StoreEvent& event) {
    last = event.revision;
    const bool now = event.type != StoreEvent::Type::kDeleted && selects(event.object);
    const bool before = selects(event.previous);
    if (now) {
      tell(before ? WatchEventType::kModified : WatchEventType::kAdded, event.object);
    } else if (before) {
      // Left the selection or the store: the last version it had there, at the revision of leaving.
      const Value& gone = event.type == StoreEvent::Type::kDeleted
                              ? event.object
                              : with_revision(event.previous, event.revision);
      tell(WatchEventType::kDeleted, gone);
    }
  }

  Value bookmark_object() const {
    return Value::map({{keys::kKind, server.schema_.resource(kind).kind},
                       {keys::kApiVersion, server.schema_.resource(kind).api_version},
                       {keys::kMetadata, Value::map({{keys::kResourceVersion, cat(last.value)},
                                                     {keys::kCreationTimestamp, nullptr}})}});
  }

  void arm_bookmark() {
    bookmark.arm(minutes(1), [this] {
      last = std::max(last, server.store_.durable_revision());
      callbacks.on_event({WatchEventType::kBookmark, bookmark_object()});
      arm_bookmark();
    });
  }

  ApiServer& server;
  std::shared_ptr<bool> alive;
  uint64_t number = 0;
  WatchCallbacks callbacks;
  KindId kind;
  std::string namespace_, name;
  LabelSelector labels;
  FieldSelection fields;
  StoreWatchId id;
  bool counted = false;
  uint64_t custom = 0;  // its number among the watches of custom kinds
  std::shared_ptr<AuditContext> audit;
  Revision last;
  ScopedTimer timeout;
  ScopedTimer bookmark;
};

void ApiServer::end_watches() {
  std::vector<uint64_t> numbers;
  for (const auto& [number, watch] : open_watches_) numbers.push_back(number);
  for (const uint64_t number : numbers) {
    const auto found = open_watches_.find(number);
    if (found == open_watches_.end()) continue;  // another's end has taken it along
    const auto end = found->second->callbacks.on_end;  // which may drop the watch
    if (end) end({});
  }
}

Result<std::unique_ptr<WatchHandle>> ApiServer::watch(ApiRequest request, WatchCallbacks callbacks) {
  if (custom_->conversion().concerns(request)) return custom_->conversion().watch(std::move(request), std::move(callbacks));
  begin_audit(request);
  auto begun = begin_watch(request, std::move(callbacks));
  if (!request.audit || !options_.auditor) return begun;
  if (!begun) {
    end_audit(request.audit, request.kind, begun.error());
  } else {
    options_.auditor->respond(*request.audit, 200, executor_.wall_now());
    static_cast<Watch&>(**begun).audit = request.audit;
  }
  return begun;
}

Result<std::unique_ptr<WatchHandle>> ApiServer::begin_watch(const ApiRequest& request, WatchCallbacks callbacks) {
  if (!schema_.is_served(request.kind)) return not_served();
  MINIK_TRY(authorize(request));
  return perform_watch(request, std::move(callbacks));
}

Result<std::unique_ptr<WatchHandle>> ApiServer::perform_watch(const ApiRequest& request, WatchCallbacks callbacks) {
  if (const TwinKind* twin = twin_of(request.kind)) return watch_twin(*twin, request, std::move(callbacks));
  const auto& options = request.options;
  auto watch = std::make_unique<Watch>(*this, std::move(callbacks));
  watch->kind = request.kind;
  watch->namespace_ = request.namespace_;
  watch->name = request.name;
  MINIK_ASSIGN(watch->labels, LabelSelector::parse(options.label_selector));
  MINIK_ASSIGN(watch->fields, FieldSelection::parse(schema_.resource(request.kind), options.field_selector));
  const bool from_now = options.resource_version.empty() || options.resource_version == "0";
  const bool initial = options.send_initial_events.value_or(from_now);
  Revision from = store_.durable_revision();
  if (!from_now && !initial) {
    const auto revision = parse_revision(options.resource_version);
    if (!revision) {
      return Error(ErrorCode::kBadRequest,
                   cat("invalid resource version ", quoted(options.resource_version)));
    }
    from = std::min(*revision, from);
  }
  watch->last = from;
  if (initial) {
    const auto snapshot = durable(request, watch->fields);
    for (const auto& object : snapshot->objects) {
      if (watch->selects(object)) watch->tell(WatchEventType::kAdded, object);
    }
    if (options.send_initial_events.value_or(false)) {
      const Key done("k8s.io/initial-events-end");
      watch->callbacks.on_event(
          {WatchEventType::kBookmark, watch->bookmark_object().with_at(
                                          {keys::kMetadata, keys::kAnnotations, done}, "true")});
    }
  }
  WatchFilter filter;
  // Each node agent watches its pods and its node: a change must not be told to all of them.
  const auto by = [&](std::string_view index) {
    const auto wanted = watch->fields.required(index);
    if (!wanted.empty()) filter = {std::string(index), std::string(wanted)};
  };
  if (request.kind == kinds::kPods) by(kNodeNameIndex);
  if (request.kind == kinds::kNodes) by(kNameIndex);
  Watch* raw = watch.get();
  counts_->watch_opened(request.kind);
  watch->counted = true;
  MINIK_ASSIGN(watch->id, store_.watch(request.kind, from, filter,
                                       [raw](const StoreEvent& event) { raw->on_store_event(event); }));
  if (options.timeout_seconds > 0) {
    raw->timeout.arm(seconds(options.timeout_seconds), [raw] { raw->callbacks.on_end({}); });
  }
  if (options.allow_watch_bookmarks) raw->arm_bookmark();
  if (schema_.resource(request.kind).custom) {
    raw->custom = custom_->watch_opened(request.kind, [raw] { raw->callbacks.on_end({}); });
  }
  return std::unique_ptr<WatchHandle>(std::move(watch));
}

void ApiServer::expire_events() {
  const auto old = admission_->events().outdated(executor_.wall_now() - options_.event_ttl);
  ApiRequest request;
  request.kind = kinds::kEvents;
  for (const auto& event : old) Writer(*this, request).store_removal(event);
  if (!old.empty()) schedule_commit();
  event_timer_.arm(minutes(5), [this] { expire_events(); });
}

}  // namespace minik::control
