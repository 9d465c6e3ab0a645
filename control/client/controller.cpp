#include "control/client/controller.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "control/base/log.h"
#include "control/base/text.h"
#include "control/object/keys.h"

namespace minik::control {

namespace {

constexpr Duration kCacheWaitMax = seconds(30);
// Independent writes of one plan in flight at once. A plan begins with one and each success allows
// one more, so that a quota that refuses is asked once and not five hundred times.
constexpr size_t kInFlightMax = 64;
// A key whose decision reads many objects rests in proportion before it is decided on again: its
// objects change in swarms, and one look then answers for many changes. 10,000 pods: 0.1 s.
constexpr Duration kRestForObject = microseconds(10);
constexpr size_t kSwarm = 64;

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  for (size_t at = text.find(what); at != std::string::npos;
       at = text.find(what, at + with.size())) {
    text.replace(at, what.size(), with);
  }
}

}  // namespace

void WatchedKind::declare_in(ObjectCache& cache) const {
  cache.add_index(kByController, [](const Value& object, std::vector<Key>& out) {
    const Value& owner = controller_of(object);
    if (owner.has_value()) out.emplace_back(owner[keys::kUid]);
  });
  for (const auto& [name, function] : indexes) cache.add_index(name, function);
  for (const auto& [name, function] : tallies) cache.add_tally(name, function);
  for (const auto& [name, make] : views) cache.add_view(name, make());
  if (by_labels) cache.group_by_labels();
}

KeysForChange own_key() {
  return
      [](const Snapshot&, const Value& before, const Value& after, std::vector<ObjectKey>& keys) {
        keys.push_back(key_of(after.has_value() ? after : before));
      };
}

KeysForChange owner_key(std::string owner_kind) {
  return [owner_kind](const Snapshot&, const Value& before, const Value& after,
                      std::vector<ObjectKey>& keys) {
    const Value* last = nullptr;
    for (const auto* object : {&after, &before}) {
      if (!object->has_value()) continue;
      const Value& owner = controller_of(*object);
      if (owner[keys::kKind].as_string() != owner_kind) continue;
      if (last && *last == owner) continue;
      last = &owner;
      keys.push_back({std::string(object_namespace(*object)), owner[keys::kName].string()});
    }
  };
}

struct ControllerRunner::Impl : std::enable_shared_from_this<Impl> {
  // One key on its way through its plan.
  struct Run {
    ObjectKey key;
    Plan plan;
    size_t next = 0;
    size_t in_flight = 0;
    size_t window = 1;
    std::optional<Error> error;  // the first one: nothing more is sent after it
    std::vector<std::optional<Result<ApiResponse>>> answers;  // for the plan's `then`
    std::optional<ApiRequest> amends;
    TimerId give_up;  // of the wait for the caches
    Instant started;
    size_t listed = 0;
    std::vector<std::pair<KindId, Revision>> written;  // to be seen in the caches before the end
  };

  Impl(ControllerSpec s, Executor& e, Client& c, InformerSet& i, EventRecorder& r,
       MetricRegistry& m, Rng g)
      : spec(std::move(s)),
        executor(e),
        client(c),
        informers(i),
        recorder(r),
        rng(g),
        queue(e, [this] { wake(); }),
        reconciles(m.counter("controller_runtime_reconcile_total", "Reconciles by controller.",
                             {{"controller", spec.name}})),
        errors(m.counter("controller_runtime_reconcile_errors_total",
                         "Reconciles that ended in an error.", {{"controller", spec.name}})),
        metrics(m) {
    queue.count_in(m, spec.name);
  }

  void wake() {
    if (wake_scheduled || !started) return;
    wake_scheduled = true;
    executor.post([weak = weak_from_this()] {
      if (const auto self = weak.lock()) {
        self->wake_scheduled = false;
        self->work();
      }
    });
  }

  void work() {
    while (running < spec.concurrency) {
      auto key = queue.take();
      if (!key) break;
      reconcile(*std::move(key));
    }
  }

  void reconcile(ObjectKey key) {
    ++running;
    reconciles.add();
    auto run = std::make_shared<Run>();
    run->key = std::move(key);
    run->started = executor.now();
    begin(run, [&](Env& env) { return spec.decide(snapshot, run->key, env); });
  }

  void begin(const std::shared_ptr<Run>& run, const std::function<Plan(Env&)>& decide) {
    Env env{executor.wall_now(), rng};
    const size_t listed_before = snapshot.listed();
    run->plan = decide(env);
    run->listed += snapshot.listed() - listed_before;
    run->next = 0;
    run->window = 1;
    run->answers.assign(run->plan.then ? run->plan.writes.size() : 0, std::nullopt);
    step(run);
  }

  // All answers are there.
  void go_on(const std::shared_ptr<Run>& run) {
    for (const auto& note : run->plan.events) recorder.record(note);
    Plan::Answers answers;
    for (auto& answer : run->answers) answers.push_back(*std::move(answer));
    const auto then = std::move(run->plan.then);
    begin(run, [&](Env& env) { return then(snapshot, env, answers); });
  }

  // Sends what may go now. A write that must not overtake waits until it is alone.
  void step(const std::shared_ptr<Run>& run) {
    auto& writes = run->plan.writes;
    if (run->in_flight == 0 && (run->error || run->next == writes.size())) {
      if (run->amends) return make_amends(run);
      if (run->error) return fail(run);
      run->plan.then ? go_on(run) : finish(run);
      return;
    }
    while (!run->error && run->next < writes.size() && run->in_flight < run->window) {
      const size_t at = run->next;
      const bool beside = writes[at].independent && (at == 0 || writes[at - 1].independent);
      if (run->in_flight > 0 && !beside) return;
      ++run->next;
      ++run->in_flight;
      client.send(writes[at].request,
                  [weak = weak_from_this(), run, at](Result<ApiResponse> result) {
                    if (const auto self = weak.lock()) self->on_written(run, at, std::move(result));
                  });
    }
  }

  void on_written(const std::shared_ptr<Run>& run, size_t at, Result<ApiResponse> result) {
    auto& write = run->plan.writes[at];
    --run->in_flight;
    if (result && write.expect_empty && !result->object[keys::kItems].empty()) {
      result = Error(ErrorCode::kConflict, "there is content that the caches do not know yet");
    }
    if (result) {
      run->window = std::min(run->window + 1, kInFlightMax);
      // A look is no write, nor is a deletion that found nothing: what they saw need not come back through a watch.
      const Verb verb = write.request.verb;
      const bool is_look = verb == Verb::kGet || verb == Verb::kList;
      const bool found_nothing = verb == Verb::kDeleteCollection && result->object[keys::kItems].empty();
      if (!is_look && !found_nothing) remember(*run, write.request.kind, *result);
      for (const auto& note : write.counts) count(note);
      if (write.event) {
        replace_all(write.event->message, "%name%", object_name(result->object));
        recorder.record(*write.event);
      }
    } else if (!is_tolerated(write, result.error())) {
      for (const auto& note : write.failure_counts) count(note);
      if (write.failure_event) {
        replace_all(write.failure_event->message, "%error%", result.error().message);
        recorder.record(*write.failure_event);
      }
      if (!run->error && !run->plan.then) {
        run->error = result.error();
        if (write.amends) run->amends = write.amends(result.error());
      }
    }
    if (run->plan.then) run->answers[at] = std::move(result);
    step(run);
  }

  void count(const MetricNote& note) {
    if (note.duration) {
      metrics.histogram(note.name, note.help, note.labels).observe(*note.duration);
    } else {
      metrics.counter(note.name, note.help, note.labels).add(note.more);
    }
  }

  void make_amends(const std::shared_ptr<Run>& run) {
    const ApiRequest request = *std::exchange(run->amends, std::nullopt);
    ++run->in_flight;
    client.send(request,
                [weak = weak_from_this(), run, kind = request.kind](Result<ApiResponse> result) {
                  const auto self = weak.lock();
                  if (!self) return;
                  --run->in_flight;
                  if (result) self->remember(*run, kind, *result);
                  self->step(run);
                });
  }

  static bool is_tolerated(const PlannedWrite& write, const Error& error) {
    return (write.on_error == OnError::kTolerateNotFound && error.code == ErrorCode::kNotFound) ||
           (write.on_error == OnError::kTolerateExists && error.code == ErrorCode::kAlreadyExists);
  }

  // A plan waits for the newest revision of each kind that it wrote and that this controller
  // watches.
  void remember(Run& run, KindId of, const ApiResponse& response) {
    const Revision revision = object_revision(response.object);
    if (revision.value == 0 || !watches(of)) return;
    for (auto& [kind, newest] : run.written) {
      if (kind == of) {
        newest = std::max(newest, revision);
        return;
      }
    }
    run.written.emplace_back(of, revision);
  }

  bool watches(KindId kind) const {
    return std::ranges::any_of(spec.watches,
                               [kind](const WatchedKind& w) { return w.kind == kind; });
  }

  // The writes before the error have happened: the next look must know them as after a success.
  void fail(const std::shared_ptr<Run>& run) {
    errors.add();
    MINIK_LOG(kDebug, spec.name, cat(run->key.text(), ": ", run->error->message));
    queue.add_rate_limited(run->key);
    wait_for_caches(run);
  }

  void finish(const std::shared_ptr<Run>& run) {
    for (const auto& note : run->plan.events) recorder.record(note);
    queue.forget(run->key);
    if (run->plan.requeue_after) queue.add_after(run->key, *run->plan.requeue_after);
    wait_for_caches(run);
  }

  // Each kind that it wrote is watched, by an informer.
  bool has_seen(const Run& run) const {
    return std::ranges::all_of(run.written, [this](const auto& written) {
      return informers.find(written.first)->seen() >= written.second;
    });
  }

  void wait_for_caches(const std::shared_ptr<Run>& run) {
    if (has_seen(*run) || executor.now() - run->started > kCacheWaitMax) {
      end(run);
      return;
    }
    waiting.push_back(run);
    run->give_up = executor.after(kCacheWaitMax, [weak = weak_from_this(), run] {
      if (const auto self = weak.lock(); self && std::erase(self->waiting, run) > 0) self->end(run);
    });
  }

  void on_change() {
    if (waiting.empty()) return;
    for (const auto& run : std::vector(waiting)) {
      if (!has_seen(*run) || std::erase(waiting, run) == 0) continue;
      executor.cancel(run->give_up);
      end(run);
    }
  }

  void end(const std::shared_ptr<Run>& run) {
    --running;
    const size_t swarm = run->listed < kSwarm ? 0 : run->listed;
    const Duration rest = kRestForObject * static_cast<int64_t>(swarm);
    queue.done_after(run->key, rest - (executor.now() - run->started));
    wake();
  }

  ControllerSpec spec;
  Executor& executor;
  Client& client;
  InformerSet& informers;
  EventRecorder& recorder;
  Rng rng;
  Snapshot snapshot;
  WorkQueue queue;
  Counter& reconciles;
  Counter& errors;
  MetricRegistry& metrics;
  std::vector<std::shared_ptr<Run>> waiting;
  int running = 0;
  bool started = false;
  bool wake_scheduled = false;
};

ControllerRunner::ControllerRunner(ControllerSpec spec, Executor& executor, Client& client,
                                   InformerSet& informers, EventRecorder& events,
                                   MetricRegistry& metrics, Rng rng)
    : impl_(std::make_shared<Impl>(std::move(spec), executor, client, informers, events, metrics,
                                   rng)) {
  for (const auto& watched : impl_->spec.watches) {
    Informer& informer = informers.of(watched.kind);
    watched.declare_in(informer.cache());
    impl_->snapshot.add(informer.cache());
    informer.subscribe([weak = std::weak_ptr(impl_), keys_for = watched.keys_for](const Value& before, const Value& after) {
      const auto impl = weak.lock();
      if (!impl) return;
      if (keys_for) {
        std::vector<ObjectKey> keys;
        keys_for(impl->snapshot, before, after, keys);
        for (const auto& key : keys) impl->queue.add(key);
      }
      impl->on_change();
    });
  }
}

ControllerRunner::~ControllerRunner() = default;

void ControllerRunner::start() {
  impl_->informers.when_synced([weak = std::weak_ptr(impl_)] {
    if (const auto impl = weak.lock()) {
      impl->started = true;
      impl->wake();
    }
  });
}

void ControllerRunner::enqueue(const ObjectKey& key) {
  impl_->queue.add(key);
}

bool ControllerRunner::idle() const {
  return impl_->running == 0 && impl_->queue.idle();
}

const std::string& ControllerRunner::name() const {
  return impl_->spec.name;
}

}  // namespace minik::control
