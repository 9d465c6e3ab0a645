#include "control/client/informer.h"

#include <algorithm>
#include <set>

#include "control/base/log.h"
#include "control/object/keys.h"

namespace minik::control {

namespace {
constexpr Duration kRetryFirst = milliseconds(800);
constexpr Duration kRetryLast = seconds(30);
}  // namespace

Informer::Informer(Executor& executor, Client& client, Rng rng, KindId kind, InformerOptions options)
    : executor_(executor),
      client_(client),
      rng_(rng),
      options_(std::move(options)),
      cache_(kind),
      retry_timer_(executor),
      alive_(std::make_shared<bool>(true)) {}

Informer::~Informer() { *alive_ = false; }

void Informer::subscribe(ChangeHandler handler) { handlers_.push_back(std::move(handler)); }

void Informer::start() {
  started_ = true;
  list();
}

void Informer::stop() {
  started_ = synced_ = false;
  watch_.reset();
  retry_timer_.cancel();
  failures_ = 0;
  replace_all(Value());
}

void Informer::when_synced(std::function<void()> done) {
  if (synced_) {
    executor_.post(std::move(done));
  } else {
    waiting_for_sync_.push_back(std::move(done));
  }
}

void Informer::list() {
  ApiRequest request;
  request.verb = Verb::kList;
  request.kind = cache_.kind();
  request.namespace_ = options_.namespace_;
  request.options.label_selector = options_.label_selector;
  request.options.field_selector = options_.field_selector;
  client_.send(std::move(request), [this, alive = alive_](Result<ApiResponse> response) {
    if (*alive) on_list(std::move(response));
  });
}

void Informer::on_list(Result<ApiResponse> response) {
  if (!started_) return;
  if (!response) {
    MINIK_LOG(kWarning, "informer", cat("list failed: ", response.error().message));
    retry(true);
    return;
  }
  failures_ = 0;
  note_revision(response->object);
  const auto alive = alive_;
  replace_all(response->object);
  if (!*alive) return;
  synced_ = true;
  for (const auto& done : std::exchange(waiting_for_sync_, {})) done();
  if (*alive) watch();
}

// The list is the truth: what it does not have is gone, and the differences are told as changes.
void Informer::replace_all(const Value& list) {
  std::set<ObjectKey> listed;
  if (cache_.size() > 0) {
    for (const auto& object : list[keys::kItems].items()) listed.insert(key_of(object));
    for (const auto& old : cache_.list()) {
      if (listed.contains(key_of(old))) continue;
      const Value before = cache_.erase(object_namespace(old), object_name(old));
      tell(before, Value());
    }
  }
  for (const auto& object : list[keys::kItems].items()) {
    const Value before = cache_.put(object);
    if (!(before == object)) tell(before, object);
  }
}

void Informer::note_revision(const Value& object) {
  revision_ = object[keys::kMetadata][keys::kResourceVersion].as_string();
  seen_ = std::max(seen_, object_revision(object));
}

void Informer::watch() {
  ApiRequest request;
  request.verb = Verb::kWatch;
  request.kind = cache_.kind();
  request.namespace_ = options_.namespace_;
  request.options.label_selector = options_.label_selector;
  request.options.field_selector = options_.field_selector;
  request.options.resource_version = revision_;
  request.options.allow_watch_bookmarks = options_.bookmarks;
  watch_ = client_.watch(std::move(request),
                         {[this](const WatchEvent& event) { on_event(event); },
                          [this](Status status) { on_watch_end(status); }});
}

void Informer::on_event(const WatchEvent& event) {
  failures_ = 0;
  note_revision(event.object);
  switch (event.type) {
    case WatchEventType::kAdded:
    case WatchEventType::kModified: {
      const Value before = cache_.put(event.object);
      tell(before, event.object);
      break;
    }
    case WatchEventType::kDeleted: {
      const Value before = cache_.erase(object_namespace(event.object), object_name(event.object));
      // The last version may carry what the one before did not (a deletion timestamp).
      if (before.has_value()) tell(event.object, Value());
      break;
    }
    case WatchEventType::kBookmark:
    case WatchEventType::kError: break;
  }
}

void Informer::on_watch_end(const Status& status) {
  watch_.reset();
  const bool relist = !status.ok() && (status.error().code == ErrorCode::kExpired ||
                                       status.error().code == ErrorCode::kGone);
  if (status.ok() || relist) {
    if (relist) {
      list();
    } else {
      watch();
    }
    return;
  }
  retry(false);
}

void Informer::retry(bool relist) {
  const int doublings = std::min(failures_++, 6);
  Duration delay = std::min(kRetryFirst * (1 << doublings), kRetryLast);
  delay = delay + rng_.between(Duration{}, delay);
  retry_timer_.arm(delay, [this, relist] {
    if (relist) {
      list();
    } else {
      watch();
    }
  });
}

void Informer::tell(const Value& before, const Value& after) {
  for (const auto& handler : handlers_) handler(before, after);
}

InformerSet::InformerSet(Executor& executor, Client& client, Rng rng)
    : executor_(executor), client_(client), rng_(rng) {}

Informer& InformerSet::of(KindId kind) {
  auto& slot = informers_[kind];
  if (!slot) {
    slot = std::make_unique<Informer>(executor_, client_, rng_.fork(cat("informer", kind.value)), kind);
  }
  return *slot;
}

const Informer* InformerSet::find(KindId kind) const {
  const auto found = informers_.find(kind);
  return found == informers_.end() ? nullptr : found->second.get();
}

void InformerSet::start() {
  for (auto& [kind, informer] : informers_) informer->start();
}

bool InformerSet::synced() const {
  return std::ranges::all_of(informers_, [](const auto& entry) { return entry.second->synced(); });
}

void InformerSet::when_synced(std::function<void()> done) {
  auto missing = std::make_shared<size_t>(informers_.size());
  auto shared = std::make_shared<std::function<void()>>(std::move(done));
  if (*missing == 0) executor_.post([shared] { (*shared)(); });
  for (auto& [kind, informer] : informers_) {
    informer->when_synced([missing, shared] {
      if (--*missing == 0) (*shared)();
    });
  }
}

}  // namespace minik::control
