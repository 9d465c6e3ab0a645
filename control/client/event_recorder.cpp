#include "control/client/event_recorder.h"

#include <map>

#include "control/base/text.h"
#include "control/object/keys.h"

namespace minik::control {

namespace {

constexpr Duration kSameNote = minutes(10);
constexpr int64_t kBurst = 25;
constexpr Duration kRefill = minutes(5);
constexpr size_t kRememberedMax = 4096;  // as the correlator's caches

// metav1.ObjectReference of an object, or the reference itself when it is one already.
Value reference_to(const Value& object) {
  const auto& metadata = object[keys::kMetadata];
  if (!metadata.is_map()) return object;
  return Value::map({{keys::kKind, object[keys::kKind]},
                     {keys::kApiVersion, object[keys::kApiVersion]},
                     {keys::kNamespace, metadata[keys::kNamespace]},
                     {keys::kName, metadata[keys::kName]},
                     {keys::kUid, metadata[keys::kUid]},
                     {keys::kResourceVersion, metadata[keys::kResourceVersion]}});
}

}  // namespace

struct EventRecorder::Impl : std::enable_shared_from_this<Impl> {
  Impl(Executor& e, Client& c, KindId kind, std::string who, std::string where, Rng r)
      : executor(e), client(c), event_kind(kind), component(std::move(who)), host(std::move(where)), rng(r) {}

  struct Remembered {
    std::string name;
    int64_t count = 0;
    WallTime first, last;
  };
  struct Bucket {
    int64_t tokens = kBurst;
    WallTime refilled;
  };

  bool allowed(std::string_view about, WallTime now) {
    if (buckets.size() > kRememberedMax) buckets.clear();
    auto [bucket, fresh] = buckets.try_emplace(std::string(about));
    auto& b = bucket->second;
    if (fresh) b.refilled = now;
    const int64_t gained = (now - b.refilled).ns / kRefill.ns;
    if (gained > 0) {
      b.tokens = std::min(kBurst, b.tokens + gained);
      b.refilled = b.refilled + kRefill * gained;
    }
    if (b.tokens == 0) return false;
    --b.tokens;
    return true;
  }

  Executor& executor;
  Client& client;
  KindId event_kind;
  std::string component, host;
  Rng rng;
  std::map<std::string, Remembered> remembered;
  std::map<std::string, Bucket> buckets;
};

EventRecorder::EventRecorder(Executor& executor, Client& client, KindId event_kind,
                             std::string component, std::string host, Rng rng)
    : impl_(std::make_shared<Impl>(executor, client, event_kind, std::move(component),
                                   std::move(host), rng)) {}

EventRecorder::~EventRecorder() = default;

void EventRecorder::record(const EventNote& note) {
  auto& impl = *impl_;
  const WallTime now = impl.executor.wall_now();
  const Value reference = reference_to(note.regarding);
  const auto name = reference[keys::kName].as_string();
  std::string namespace_ = reference[keys::kNamespace].string();
  if (namespace_.empty()) namespace_ = "default";
  if (!impl.allowed(cat(namespace_, "/", name), now)) return;
  const std::string identity = cat(namespace_, "/", name, "/", reference[keys::kUid].as_string(), "/",
                                   note.type, "/", note.reason, "/", note.message);
  ApiRequest request;
  request.kind = impl.event_kind;
  request.namespace_ = namespace_;
  const auto known = impl.remembered.find(identity);
  if (known != impl.remembered.end() && now - known->second.last < kSameNote) {
    auto& again = known->second;
    ++again.count;
    again.last = now;
    request.verb = Verb::kPatch;
    request.name = again.name;
    request.patch_type = PatchType::kMerge;
    request.body = Value::map({{keys::kCount, again.count}, {keys::kLastTimestamp, format_time(now)}});
    impl.client.send(std::move(request), [](const Result<ApiResponse>&) {});
    return;
  }
  if (impl.remembered.size() >= kRememberedMax) impl.remembered.clear();
  // Name and nanoseconds, as client-go names events; the random tail keeps two of one instant apart.
  const std::string event_name = cat(name, ".", to_hex(cat(impl.rng.suffix(4))), now.ns / 1000);
  impl.remembered[identity] = {event_name, 1, now, now};
  const Value when = format_time(now);
  request.verb = Verb::kCreate;
  request.body = Value::map(
      {{keys::kMetadata, Value::map({{keys::kName, event_name}, {keys::kNamespace, namespace_}})},
       {keys::kInvolvedObject, reference},
       {keys::kType, note.type},
       {keys::kReason, note.reason},
       {keys::kMessage, note.message},
       {keys::kSource, Value::map({{keys::kComponent, impl.component},
                                   {keys::kHost, impl.host.empty() ? Value() : Value(impl.host)}})},
       {keys::kReportingComponent, impl.component},
       {keys::kReportingInstance, impl.host},
       {keys::kFirstTimestamp, when},
       {keys::kLastTimestamp, when},
       {keys::kEventTime, nullptr},
       {keys::kCount, 1}});
  impl.client.send(std::move(request), [](const Result<ApiResponse>&) {});
}

}  // namespace minik::control
