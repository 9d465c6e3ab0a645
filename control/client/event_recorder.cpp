#include "control/client/event_recorder.h"

#include <algorithm>
#include <array>
#include <boost/unordered/unordered_flat_map.hpp>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/text_hash.h"
#include "control/object/time_text.h"

namespace minik::control {

namespace {

constexpr Duration kSameNote = minutes(10);
constexpr int64_t kBurst = 25;
constexpr Duration kRefill = minutes(5);
constexpr size_t kRememberedMax = 4096;  // as the correlator's caches
constexpr size_t kForgetFirst = 64;
constexpr size_t kTail = 4;
constexpr size_t kMessages = 8;

// Of texts one after the other.
uint64_t hash_of(std::initializer_list<std::string_view> texts) {
  uint64_t hash = 0;
  for (const auto text : texts) hash = mix_hash(hash ^ text_hash(text));
  return hash;
}

// metav1.ObjectReference of an object, or the reference itself when it is one already.
Value reference_to(const Value& object) {
  const auto& metadata = object[keys::kMetadata];
  if (!metadata.is_map()) return object;
  return Value::map({{keys::kApiVersion, object[keys::kApiVersion]},
                     {keys::kKind, object[keys::kKind]},
                     {keys::kName, metadata[keys::kName]},
                     {keys::kNamespace, metadata[keys::kNamespace]},
                     {keys::kResourceVersion, metadata[keys::kResourceVersion]},
                     {keys::kUid, metadata[keys::kUid]}});
}

}  // namespace

struct EventRecorder::Impl : std::enable_shared_from_this<Impl> {
  Impl(Executor& e, Client& c, KindId kind, std::string_view who, std::string_view where, Rng r)
      : executor(e),
        client(c),
        event_kind(kind),
        component(who),
        host(where),
        source(Value::map({{keys::kComponent, component}, {keys::kHost, where.empty() ? Value() : host}})),
        rng(r) {}

  // A note that was written: its Event's name follows from the time and the tail.
  struct Remembered {
    WallTime first, last;
    uint32_t count = 0;
    std::array<char, kTail> tail{};
  };
  struct Bucket {
    int64_t tokens = kBurst;
    WallTime refilled;
    void refill(WallTime now) {
      const int64_t gained = (now - refilled).ns / kRefill.ns;
      if (gained <= 0) return;
      tokens = std::min(kBurst, tokens + gained);
      refilled = refilled + kRefill * gained;
    }
  };

  bool allowed(uint64_t about, WallTime now) {
    auto [bucket, fresh] = buckets.try_emplace(about);
    auto& b = bucket->second;
    if (fresh) b.refilled = now;
    b.refill(now);
    if (b.tokens == 0) return false;
    --b.tokens;
    return true;
  }

  // Most notes say the type and reason of the one before, and many the message of one a little before.
  const Value& same_text(Value& last, std::string_view text) {
    if (last.as_string() != text) last = Value(text);
    return last;
  }

  const Value& same_message(std::string_view text) { return same_text(messages[text_hash(text) % kMessages], text); }

  // A node has few pods and notes something about each of many that come and go.
  void forget(WallTime now) {
    if (remembered.size() + buckets.size() < forget_at) return;
    boost::unordered::erase_if(remembered, [&](const auto& entry) { return now - entry.second.last >= kSameNote; });
    boost::unordered::erase_if(buckets, [&](auto& entry) {
      Bucket bucket = entry.second;
      bucket.refill(now);
      return bucket.tokens == kBurst;
    });
    if (remembered.size() > kRememberedMax) remembered.clear();
    if (buckets.size() > kRememberedMax) buckets.clear();
    forget_at = std::max(kForgetFirst, 2 * (remembered.size() + buckets.size()));
  }

  Executor& executor;
  Client& client;
  KindId event_kind;
  Value component, host, source;  // what each Event says of its author, once for all of them
  Value last_type, last_reason;
  std::array<Value, kMessages> messages;  // the last ones, each in its place by hash
  TimeText times;
  Rng rng;
  // By hashes of what they are about; never walked in an order that shows.
  boost::unordered_flat_map<uint64_t, Remembered> remembered;
  boost::unordered_flat_map<uint64_t, Bucket> buckets;
  size_t forget_at = kForgetFirst;
};

EventRecorder::EventRecorder(Executor& executor, Client& client, KindId event_kind,
                             std::string component, std::string host, Rng rng)
    : impl_(std::make_shared<Impl>(executor, client, event_kind, component, host, rng)) {}

EventRecorder::~EventRecorder() = default;

void EventRecorder::record(const EventNote& note) {
  auto& impl = *impl_;
  const WallTime now = impl.executor.wall_now();
  const Value reference = reference_to(note.regarding);
  const auto name = reference[keys::kName].as_string();
  std::string namespace_ = reference[keys::kNamespace].string();
  if (namespace_.empty()) namespace_ = "default";
  const uint64_t about = hash_of({namespace_, name});
  impl.forget(now);
  if (!impl.allowed(about, now)) return;
  const uint64_t identity = hash_of({namespace_, name, reference[keys::kUid].as_string(), reference[keys::kFieldPath].as_string(), note.type,
                                     note.reason, note.message});
  // Name and time, as client-go names events, so that a list has them in order; the random tail keeps two of one instant
  // apart.
  const auto name_of = [&](const Impl::Remembered& r) {
    return cat(name, ".", r.first.ns / 1000, to_hex(std::string_view(r.tail.data(), kTail)));
  };
  ApiRequest request;
  request.kind = impl.event_kind;
  request.namespace_ = namespace_;
  const auto known = impl.remembered.find(identity);
  if (known != impl.remembered.end() && now - known->second.last < kSameNote) {
    auto& again = known->second;
    ++again.count;
    again.last = now;
    request.verb = Verb::kPatch;
    request.name = name_of(again);
    request.patch_type = PatchType::kMerge;
    request.body = Value::map({{keys::kCount, int64_t{again.count}}, {keys::kLastTimestamp, format_time(now)}});
    impl.client.send(std::move(request), [](const Result<ApiResponse>&) {});
    return;
  }
  Impl::Remembered fresh{now, now, 1, {}};
  std::ranges::copy(impl.rng.suffix(kTail), fresh.tail.begin());
  const std::string event_name = name_of(fresh);
  impl.remembered[identity] = fresh;
  const Value& when = impl.times.of(now);
  request.verb = Verb::kCreate;
  // In the order of a document, which spares it the sorting.
  request.body = Value::map(
      {{keys::kCount, 1},
       {keys::kEventTime, nullptr},
       {keys::kFirstTimestamp, when},
       {keys::kInvolvedObject, reference},
       {keys::kLastTimestamp, when},
       {keys::kMessage, impl.same_message(note.message)},
       {keys::kMetadata, Value::map({{keys::kName, event_name}, {keys::kNamespace, namespace_}})},
       {keys::kReason, impl.same_text(impl.last_reason, note.reason)},
       {keys::kReportingComponent, impl.component},
       {keys::kReportingInstance, impl.host},
       {keys::kSource, impl.source},
       {keys::kType, impl.same_text(impl.last_type, note.type)}});
  impl.client.send(std::move(request), [](const Result<ApiResponse>&) {});
}

}  // namespace minik::control
