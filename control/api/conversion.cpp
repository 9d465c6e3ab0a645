#include "control/api/conversion.h"

#include <deque>

#include "control/admission/attributes.h"
#include "control/admission/webhook_address.h"
#include "control/api/api_server.h"
#include "control/api/errors.h"
#include "control/api/strategy.h"
#include "control/api/writer.h"
#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/schema/custom_kind.h"
#include "control/schema/field_error.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

constexpr Duration kTimeout = seconds(30);  // kube-apiserver's for conversions
constexpr int kAttemptsMax = 5;             // of a patch, as kube-apiserver makes it

bool is_list(const Value& object) { return object[keys::kItems].is_array(); }

// Nothing of a Status or a Scale is of the kind.
bool is_of_kind(const ApiRequest& request, const Value& object) {
  return (request.subresource.empty() || request.subresource == "status") && object[keys::kKind].as_string() != "Status";
}

}  // namespace

// One request on its way there and back.
struct Conversion::Exchange {
  ApiRequest request;
  const ResourceInfo& asked;
  const ResourceInfo& stored;
  ResponseCallback done;
  std::vector<std::string> warnings = {};
  Value seen = {};  // by a patch: the stored version that it was made against
  int attempts = 0;
};

struct Conversion::ConvertedWatch {
  const ResourceInfo& asked;
  const ResourceInfo& stored;
  WatchCallbacks callbacks;
  std::deque<WatchEvent> waiting = {};
  std::optional<Status> ended = {};
  bool asking = false;
  bool open = true;
  std::unique_ptr<WatchHandle> inner = {};
};

Conversion::Conversion(ApiServer& server, Executor& executor, const Store& store, const Schema& schema, Rng rng, Edges edges)
    : server_(server),
      executor_(executor),
      store_(store),
      schema_(schema),
      rng_(rng),
      edges_(std::move(edges)),
      alive_(std::make_shared<bool>(true)) {}

Conversion::~Conversion() { *alive_ = false; }

const ResourceInfo& Conversion::storage_of(const ResourceInfo& resource) const {
  return schema_.resource(resource.stored_as());
}

bool Conversion::concerns(const ApiRequest& request) const {
  if (!schema_.registry() || !schema_.is_served(request.kind)) return false;
  const ResourceInfo& resource = schema_.resource(request.kind);
  if (!resource.custom || request.kind == resource.stored_as() || storage_of(resource).version == resource.version) return false;
  const Value& definition = store_.find(kinds::kCustomresourcedefinitions, "", resource.group_resource());
  return definition[keys::kSpec].get("conversion").get("strategy").as_string() == "Webhook";
}

void Conversion::convert(const ResourceInfo& from, const ResourceInfo& to, const std::vector<Value>& objects, Converted done) {
  if (objects.empty()) return done(std::vector<Value>());
  const auto question = std::make_shared<ConversionQuestion>(
      ConversionQuestion{rng_.uuid(), std::string(from.kind), std::string(from.api_version), std::string(to.api_version), {}});
  for (const auto& object : objects) {
    question->objects.push_back(
        object.with(keys::kApiVersion, from.api_version).with(keys::kKind, from.kind));
  }
  const auto closed = std::make_shared<bool>(false);
  const auto close = [alive = alive_, closed, done = std::move(done)](Result<std::vector<Value>> result) {
    if (*alive && !std::exchange(*closed, true)) done(std::move(result));
  };
  const auto fail_later = [&](std::string_view why) {
    executor_.post([close, error = conversion_failure(*question, why)] { close(error); });
  };
  const Value& definition = store_.find(kinds::kCustomresourcedefinitions, "", from.group_resource());
  Value& client_config = client_configs_[from.group_resource()];
  if (definition.has_value()) client_config = definition[keys::kSpec].get("conversion").get("webhook").get("clientConfig");
  auto call = webhook_call(store_, client_config, kTimeout);
  if (!call) return fail_later(call.error().message);
  call->webhook = from.group_resource();
  const std::string post = cat("Post ", quoted(call->url), ": ");
  if (!edges_.caller) return fail_later(cat(post, "no network leads there"));
  call->body = conversion_body(*question);
  executor_.after(call->timeout, [close, question, post] {
    close(conversion_failure(*question, cat(post, "context deadline exceeded")));
  });
  edges_.caller->call(*std::move(call), [close, question, post](const Result<std::string>& body) {
    close(body ? read_conversion(*body, *question)
               : Result<std::vector<Value>>(conversion_failure(*question, cat(post, body.error().message))));
  });
}

void Conversion::handle(ApiRequest request, ResponseCallback done) {
  // Before a webhook is asked; the inner request is asked again, by then perhaps in another mood.
  if (Status allowed = edges_.authorize(request); !allowed.ok()) return done(allowed.error());
  const ResourceInfo& asked = schema_.resource(request.kind);
  const auto exchange = std::make_shared<Exchange>(
      Exchange{std::move(request), asked, storage_of(asked), std::move(done)});
  const ApiRequest& own = exchange->request;
  const bool of_kind = own.subresource.empty() || own.subresource == "status";
  if (of_kind && (own.verb == Verb::kCreate || own.verb == Verb::kUpdate)) return write(exchange, own.body);
  if (of_kind && own.verb == Verb::kPatch) return own.patch_type == PatchType::kApply ? apply(exchange) : patch(exchange);
  send(exchange, own);
}

void Conversion::write(const std::shared_ptr<Exchange>& exchange, const Value& document) {
  const ApiRequest& request = exchange->request;
  const auto refuse = [&](Error error) { exchange->done(std::move(error)); };
  if (Status fits = check_kind(exchange->asked, document); !fits.ok()) return refuse(fits.error());
  auto object = decode_and_default(exchange->asked, document, Value(), request.options.field_validation, exchange->warnings);
  if (!object) return refuse(std::move(object).error());
  FieldErrors errors;
  exchange->asked.custom->check(*object, Value(), errors);
  if (!errors.empty()) return refuse(errors.to_error(exchange->asked, request.name));
  convert(exchange->asked, exchange->stored, {*object}, [this, exchange](Result<std::vector<Value>> converted) {
    if (!converted) return exchange->done(std::move(converted).error());
    ApiRequest inner = exchange->request;
    inner.body = converted->front();
    if (inner.verb == Verb::kPatch) {
      inner.patch_type = PatchType::kJson;
      inner.body = Value::array({Value::map({{"op", "replace"},
                                             {"path", ""},
                                             {keys::kValue, named_object(exchange->stored, converted->front())}})});
    }
    inner.options.field_validation = FieldValidation::kIgnore;  // complained of already
    send(exchange, std::move(inner));
  });
}

void Conversion::patch(const std::shared_ptr<Exchange>& exchange) {
  const ApiRequest& request = exchange->request;
  exchange->seen = store_.find(exchange->stored.id, request.namespace_, request.name);
  if (exchange->seen.is_absent()) return exchange->done(not_found(exchange->asked, request.name));
  convert(exchange->stored, exchange->asked, {exchange->seen}, [this, exchange](Result<std::vector<Value>> converted) {
    if (!converted) return exchange->done(std::move(converted).error());
    exchange->warnings.clear();
    auto document = Writer(server_, exchange->request).patched(converted->front());
    document ? write(exchange, *document) : exchange->done(std::move(document).error());
  });
}

// The configuration is turned into the stored form and applied there; its manager is entered with that version.
void Conversion::apply(const std::shared_ptr<Exchange>& exchange) {
  const Value& config = exchange->request.body;
  if (Status fits = check_kind(exchange->asked, config); !fits.ok()) return exchange->done(fits.error());
  convert(exchange->asked, exchange->stored, {config}, [this, exchange](Result<std::vector<Value>> converted) {
    if (!converted) return exchange->done(std::move(converted).error());
    ApiRequest inner = exchange->request;
    inner.body = named_object(exchange->stored, converted->front());
    send(exchange, std::move(inner));
  });
}

void Conversion::send(const std::shared_ptr<Exchange>& exchange, ApiRequest inner) {
  inner.kind = exchange->stored.id;
  server_.handle(std::move(inner), [this, alive = alive_, exchange](Result<ApiResponse> result) {
    if (!*alive) return;
    const auto& request = exchange->request;
    const bool lost = !result && result.error().code == ErrorCode::kConflict && exchange->seen.has_value();
    // Somebody has written since the patch was made.
    if (lost && !store_.find(exchange->stored.id, request.namespace_, request.name).same_node(exchange->seen) &&
        ++exchange->attempts < kAttemptsMax) {
      return patch(exchange);
    }
    answer(exchange, std::move(result));
  });
}

void Conversion::answer(const std::shared_ptr<Exchange>& exchange, Result<ApiResponse> result) {
  if (!result) return exchange->done(std::move(result));
  const auto response = std::make_shared<ApiResponse>(*std::move(result));
  response->warnings.insert(response->warnings.begin(), exchange->warnings.begin(), exchange->warnings.end());
  if (!is_of_kind(exchange->request, response->object)) return exchange->done(std::move(*response));
  std::vector<Value> objects;
  if (is_list(response->object)) {
    const auto items = response->object[keys::kItems].items();
    objects.assign(items.begin(), items.end());
  } else {
    objects.push_back(response->object);
  }
  convert(exchange->stored, exchange->asked, objects, [exchange, response](Result<std::vector<Value>> converted) {
    if (!converted) return exchange->done(std::move(converted).error());
    if (is_list(response->object)) {
      response->object = response->object.with(keys::kApiVersion, exchange->asked.api_version)
                             .with(keys::kItems, Value::array(*std::move(converted)));
    } else {
      response->object = converted->front();
    }
    exchange->done(std::move(*response));
  });
}

// ---- watches ----

Result<std::unique_ptr<WatchHandle>> Conversion::watch(ApiRequest request, WatchCallbacks callbacks) {
  struct Handle : WatchHandle {
    explicit Handle(std::shared_ptr<ConvertedWatch> w) : watch(std::move(w)) {}
    ~Handle() override {
      watch->open = false;
      watch->inner.reset();
    }
    std::shared_ptr<ConvertedWatch> watch;
  };
  const ResourceInfo& asked = schema_.resource(request.kind);
  auto watch = std::make_shared<ConvertedWatch>(ConvertedWatch{asked, storage_of(asked), std::move(callbacks)});
  const std::weak_ptr<ConvertedWatch> weak = watch;
  WatchCallbacks inner;
  inner.on_event = [this, weak](const WatchEvent& event) {
    const auto open = weak.lock();
    if (!open || !open->open) return;
    open->waiting.push_back(event);
    pump(open);
  };
  inner.on_end = [this, weak](Status status) {
    const auto open = weak.lock();
    if (!open || !open->open) return;
    open->ended = std::move(status);
    pump(open);
  };
  request.kind = watch->stored.id;
  MINIK_ASSIGN(watch->inner, server_.watch(std::move(request), std::move(inner)));
  return std::unique_ptr<WatchHandle>(std::make_unique<Handle>(std::move(watch)));
}

// One question at a time, of all the events that have come since the last one: so they stay in order.
void Conversion::pump(const std::shared_ptr<ConvertedWatch>& watch) {
  if (watch->asking || !watch->open) return;
  if (watch->waiting.empty()) {
    if (!watch->ended) return;
    watch->open = false;
    return watch->callbacks.on_end(*watch->ended);
  }
  std::vector<Value> objects;
  auto events = std::make_shared<std::vector<WatchEvent>>(watch->waiting.begin(), watch->waiting.end());
  watch->waiting.clear();
  for (const auto& event : *events) {
    if (event.type != WatchEventType::kBookmark) objects.push_back(event.object);
  }
  watch->asking = true;
  convert(watch->stored, watch->asked, objects, [this, watch, events](Result<std::vector<Value>> converted) {
    watch->asking = false;
    if (!watch->open) return;
    if (!converted) {
      watch->open = false;
      return watch->callbacks.on_end(Status(std::move(converted).error()));
    }
    size_t next = 0;
    for (auto& event : *events) {
      if (!watch->open) return;
      event.object = event.type == WatchEventType::kBookmark
                         ? event.object.with(keys::kApiVersion, watch->asked.api_version)
                         : (*converted)[next++];
      watch->callbacks.on_event(event);
    }
    pump(watch);
  });
}

}  // namespace minik::control
