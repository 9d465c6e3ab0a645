#include "minik/cli/real_cluster.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <thread>

#include "control/base/check.h"
#include "control/base/text.h"
#include "control/controllers/pods.h"
#include "control/object/json.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"
#include "control/schema/schema.h"
#include "minik/cli/api_connection.h"
#include "minik/cli/command.h"
#include "minik/cli/real_moments.h"
#include "minik/cli/simulation.h"
#include "runtime/image/image_maker.h"
#include "runtime/image/image_store.h"
#include "sim/agreement/pod_templates.h"
#include "sim/drain.h"
#include "sim/fault_injector.h"

extern char** environ;

namespace minik::cli {

namespace keys = control::keys;
using control::Value;

namespace {

constexpr useconds_t kLookAgain = 50'000;

std::string path_of(const sim::ObjectReference& target) {
  return api_path(control::Schema::builtin().resource(target.id), target.namespace_, target.name);
}

std::string pod_path(const Value& pod) {
  return cat("/api/v1/namespaces/", control::object_namespace(pod), "/pods/", control::object_name(pod));
}

Value call(const Profile& profile, const ApiCall& call) {
  auto connection = value_or_fail(ApiConnection::open(profile));
  return value_or_fail(connection.call(call));
}

// What may be refused.
void try_call(const Profile& profile, const ApiCall& call) {
  auto connection = ApiConnection::open(profile);
  if (connection) (void)connection->call(call).ok();
}

int64_t real_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

}  // namespace

const control::ResourceInfo& resource_of(std::string_view kind) {
  for (const auto& resource : control::Schema::builtin().resources()) {
    if (resource.kind == kind && resource.has_verb("create")) return resource;
  }
  fail(Error(ErrorCode::kBadRequest, cat("there is no kind ", kind)), kNotValid);
}

bool is_compared(const Value& object) {
  const std::string namespace_(control::object_namespace(object));
  return !namespace_.starts_with("kube-") && control::object_name(object) != "kubernetes";
}

// --- what is seen ---

// A watch of each kind on a thread of its own, into one recorder. It comes back when the server does.
class RealCluster::Watches {
 public:
  explicit Watches(const Profile& profile) : profile_(profile), connections_(std::size(kCompared)) {
    for (size_t i = 0; i < connections_.size(); ++i) {
      connections_[i] = std::make_shared<ApiConnection>(value_or_fail(ApiConnection::open(profile)));
      threads_.emplace_back([this, i] { follow(i); });
    }
  }
  ~Watches() { end(); }
  Watches(const Watches&) = delete;
  Watches& operator=(const Watches&) = delete;

  sim::WorldHistory end() {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
      for (const auto& connection : connections_) connection->end();
    }
    for (auto& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
    return recorder_.history();
  }

 private:
  void follow(size_t i) {
    std::string from;  // nothing has been before the first watch
    for (;;) {
      const auto connection = current(i);
      if (!connection) return;
      const std::string path = cat(api_path(resource_of(kCompared[i]), "", ""), "?watch=true", from.empty() ? "" : cat("&resourceVersion=", from));
      (void)connection->watch(path, [&](const Value& event) { see(i, event); }).ok();
      do {
        usleep(kLookAgain);
        if (!current(i)) return;
      } while (!come_back(i, from));
    }
  }

  std::shared_ptr<ApiConnection> current(size_t i) {
    const std::lock_guard lock(mutex_);
    return ended_ ? nullptr : connections_[i];
  }

  // A list says what has gone while nobody watched.
  bool come_back(size_t i, std::string& from) {
    auto asking = ApiConnection::open(profile_);
    if (!asking) return false;
    const auto list = asking->call({"GET", api_path(resource_of(kCompared[i]), "", ""), "", ""});
    auto connection = ApiConnection::open(profile_);
    if (!list || !connection) return false;
    from = (*list)[keys::kMetadata][keys::kResourceVersion].string();
    std::set<std::string> there;
    for (const auto& object : (*list)[keys::kItems].items()) {
      there.emplace(control::object_uid(object));
      see(i, Value::map({{"type", "MODIFIED"}, {"object", object}}));
    }
    std::vector<Value> gone;
    for (const auto& [uid, object] : known_[i]) {
      if (!there.contains(uid)) gone.push_back(object);
    }
    for (const auto& object : gone) see(i, Value::map({{"type", "DELETED"}, {"object", object}}));
    const std::lock_guard lock(mutex_);
    if (!ended_) connections_[i] = std::make_shared<ApiConnection>(*std::move(connection));
    return true;
  }

  void see(size_t i, const Value& event) {
    const Value& object = event.get("object");
    const std::string type = event.get("type").string();
    if (type == "ERROR" || !is_compared(object)) return;
    const std::string uid(control::object_uid(object));
    const std::lock_guard lock(mutex_);
    if (type == "DELETED") {
      known_[i].erase(uid);
      recorder_.see_deletion(kCompared[i], object);
    } else {
      known_[i][uid] = object;
      recorder_.see(kCompared[i], object);
    }
  }

  const Profile& profile_;
  std::mutex mutex_;
  bool ended_ = false;
  std::vector<std::shared_ptr<ApiConnection>> connections_;
  std::vector<std::thread> threads_;
  std::map<std::string, Value> known_[std::size(kCompared)];  // by uid; each written by its own thread
  sim::HistoryRecorder recorder_;
};

// --- what is done ---

RealCluster::RealCluster(Profile profile, const sim::Comparable& comparable)
    : profile_(std::move(profile)), comparable_(comparable), images_(sim::images_of(comparable.deeds)) {}

RealCluster::~RealCluster() = default;

sim::WorldHistory RealCluster::live_through() {
  if (daemon_pid(profile_) == 0) {
    fail(Error(ErrorCode::kServiceUnavailable, cat("cluster ", profile_.name, " does not run: minik start -p ", profile_.name)));
  }
  make_images(images_);
  must_be_empty();
  watches_ = std::make_unique<Watches>(profile_);
  begin_ms_ = real_ms();
  perform_all();
  wait_until(comparable_.duration);
  auto history = watches_->end();
  if (daemon_back_) start_daemon();
  remove_all();
  return history;
}

// Those with a moment at it, those that wait for a state after the full second in which it is there.
void RealCluster::perform_all() {
  std::multimap<Duration, const sim::Action*> due;
  std::vector<const sim::Action*> waiting;
  for (const auto& deed : comparable_.deeds) {
    if (deed.trigger.when == sim::Trigger::When::kBecomes) {
      waiting.push_back(&deed);
    } else {
      due.emplace(deed.trigger.at, &deed);
    }
  }
  for (Duration look;;) {
    const Duration next = due.empty() ? comparable_.duration : due.begin()->first;
    if (!waiting.empty() && look <= next && look < comparable_.duration) {
      wait_until(look);
      std::erase_if(waiting, [&](const sim::Action* deed) {
        if (!holds_now(profile_, *deed->trigger.predicate)) return false;
        due.emplace(now_ + deed->trigger.delay, deed);
        return true;
      });
      look = look + seconds(1);
      continue;
    }
    if (due.empty() || next >= comparable_.duration) return;
    wait_until(next);
    const sim::Action& deed = *due.begin()->second;
    due.erase(due.begin());
    perform(deed);
  }
}

void RealCluster::wait_until(Duration at) {
  const auto sleep_until = [&](Duration moment) {
    const int64_t left = begin_ms_ + moment.milliseconds() - real_ms();
    if (left > 0) usleep(static_cast<useconds_t>(left) * 1000);
    now_ = std::max(now_, moment);
  };
  std::ranges::sort(outages_, {}, &Outage::until);
  while (!outages_.empty() && outages_.front().until <= at) {
    const Outage over = outages_.front();
    outages_.erase(outages_.begin());
    sleep_until(over.until);
    over.end();
  }
  if (daemon_back_ && *daemon_back_ <= at) {
    sleep_until(*daemon_back_);
    start_daemon();
  }
  sleep_until(at);
}

// What was there before would be compared with nothing.
void RealCluster::must_be_empty() {
  const std::string found = first_object();
  if (found.empty()) return;
  fail(Error(ErrorCode::kConflict, cat("cluster ", profile_.name, " has objects of its own (", found,
                                       "): compare in a fresh one, minik start -p agree")));
}

std::string RealCluster::first_object() {
  for (const auto kind : kCompared) {
    const auto list = call(profile_, {"GET", api_path(resource_of(kind), "", ""), "", ""});
    for (const auto& object : list[keys::kItems].items()) {
      if (is_compared(object)) return cat(kind, " ", control::object_name(object));
    }
  }
  return "";
}

void RealCluster::perform(const sim::Action& deed) {
  if (daemon_back_ && !std::holds_alternative<sim::InjectAction>(deed.what)) {
    // As a person does who finds the server away; the simulated one tries again, too.
    wait_until(*daemon_back_);
  }
  std::visit([&](const auto& what) { act(what); }, deed.what);
}

template <typename Other>
void RealCluster::act(const Other&) {}

void RealCluster::act(const sim::ApplyAction& action) {
  for (const auto& object : action.objects) {
    const auto* resource = control::Schema::builtin().find_kind(object[keys::kApiVersion].as_string(), object[keys::kKind].as_string());
    CHECK(resource) << "comparable() takes no kind " << object[keys::kKind].as_string();
    const Value& namespace_ = object[keys::kMetadata][keys::kNamespace];
    const std::string path = api_path(*resource, namespace_.as_string("default"), control::object_name(object));
    call(profile_, {"PATCH", path + "?fieldManager=minik-compare&force=true", "application/apply-patch+yaml", control::to_json(object)});
    applied_.push_back(path);
  }
}

void RealCluster::act(const sim::PatchAction& action) {
  const std::string_view media = action.type == control::PatchType::kJson    ? "json-patch"
                                 : action.type == control::PatchType::kMerge ? "merge-patch"
                                                                             : "strategic-merge-patch";
  call(profile_, {"PATCH", path_of(action.target), cat("application/", media, "+json"), control::to_json(action.patch)});
}

void RealCluster::act(const sim::DeleteAction& action) {
  using Policy = control::PropagationPolicy;
  const Value options = action.propagation == Policy::kUnset    ? Value::empty_map()
                        : action.propagation == Policy::kOrphan ? Value::map({{"propagationPolicy", "Orphan"}})
                        : action.propagation == Policy::kForeground ? Value::map({{"propagationPolicy", "Foreground"}})
                                                                    : Value::map({{"propagationPolicy", "Background"}});
  call(profile_, {"DELETE", path_of(action.target), "application/json", control::to_json(options)});
}

void RealCluster::act(const sim::CordonAction& action) { set_unschedulable(action.unschedulable); }

void RealCluster::set_unschedulable(bool unschedulable) {
  const Value patch = Value::empty_map().with_at({keys::kSpec, keys::kUnschedulable}, Value(unschedulable));
  const auto nodes = call(profile_, {"GET", "/api/v1/nodes", "", ""});
  for (const auto& node : nodes[keys::kItems].items()) {
    call(profile_, {"PATCH", cat("/api/v1/nodes/", control::object_name(node)), "application/strategic-merge-patch+json", control::to_json(patch)});
  }
}

// As the simulated one: evict, look again after a second, until nothing is left but what a drain leaves alone.
void RealCluster::act(const sim::DrainAction& action) {
  constexpr Duration kPatience = minutes(1);
  const int64_t end = real_ms() + action.timeout.value_or(kPatience).milliseconds();
  set_unschedulable(true);
  while (real_ms() < end) {
    bool left = false;
    const auto pods = call(profile_, {"GET", "/api/v1/pods", "", ""});
    for (const auto& pod : pods[keys::kItems].items()) {
      if (!is_compared(pod) || !sim::drain_moves(pod) || pod[keys::kSpec][keys::kNodeName].as_string().empty()) continue;
      left = true;
      if (control::is_deleting(pod)) continue;
      try_call(profile_, {"POST", cat(pod_path(pod), "/eviction"), "application/json",
                          control::to_json(sim::eviction_of(pod, action.grace_period_seconds))});
    }
    if (!left) return;
    usleep(1'000'000);
  }
}

void RealCluster::act(const sim::RestartAction&) {
  stop_daemon(SIGTERM);
  start_daemon();
}

void RealCluster::act(const sim::InjectAction& action) {
  Rng unused(0);
  const Duration end = now_ + (action.fault.lasts ? action.fault.lasts->draw(unused) : Duration{});
  if (const auto* pods = std::get_if<sim::PodFault>(&action.fault.kind)) {
    // Without an end of its own it lasts to the story's.
    return strike_pods(*pods, action.fault.lasts ? end - now_ : comparable_.duration);
  }
  if (const auto* registry = std::get_if<sim::RegistryFault>(&action.fault.kind)) {
    take_images(registry->match);
    outages_.push_back({end, [this, match = registry->match] {
                          std::set<std::string> back;
                          std::ranges::copy_if(images_, std::inserter(back, back.end()),
                                               [&](const std::string& name) { return sim::matches_pattern(match, name); });
                          make_images(back);
                        }});
    return;
  }
  if (const auto* quota = std::get_if<sim::QuotaFault>(&action.fault.kind)) {
    auto& exhausted = exhausted_[quota->namespace_];
    exhausted.insert(quota->resources.begin(), quota->resources.end());
    settle_quota(quota->namespace_);
    outages_.push_back({end, [this, fault = *quota] {
                          auto& left = exhausted_[fault.namespace_];
                          for (const auto& resource : fault.resources) left.erase(left.find(resource));
                          settle_quota(fault.namespace_);
                        }});
    return;
  }
  if (!daemon_back_) stop_daemon(SIGKILL);
  daemon_back_ = std::max(daemon_back_.value_or(end), end);
}

// The demo server does to itself what it is asked for.
void RealCluster::strike_pods(const sim::PodFault& fault, Duration lasts) {
  using What = sim::PodFault::What;
  const std::string deed = fault.what == What::kCrash  ? cat("crash?code=", fault.exit_code)
                           : fault.what == What::kOom  ? "oom"
                           : fault.what == What::kHang ? cat("hang?for=", format_duration(lasts))
                                                       : cat("unready?for=", format_duration(lasts));
  const auto pods = call(profile_, {"GET", "/api/v1/pods", "", ""});
  int64_t struck = 0;
  for (const auto& pod : pods[keys::kItems].items()) {
    if (!is_compared(pod) || !control::is_pod_active(pod) || !fault.pods.labels.matches(pod[keys::kMetadata][keys::kLabels])) continue;
    if (!fault.pods.namespace_.empty() && control::object_namespace(pod) != fault.pods.namespace_) continue;
    if (fault.pods.count > 0 && struck++ == fault.pods.count) return;
    for (const auto& list : {keys::kContainers, keys::kInitContainers}) {
      for (const auto& container : pod[keys::kSpec][list].items()) {
        try_call(profile_, {"GET", cat(pod_path(pod), ":", sim::port_of(container), "/proxy/", deed), "", ""});
      }
    }
  }
}

void RealCluster::stop_daemon(int signal) {
  const int pid = daemon_pid(profile_);
  if (pid == 0) return;
  kill(pid, signal);
  constexpr int kTries = 1'000;
  for (int i = 0; i < kTries && daemon_pid(profile_) != 0; ++i) usleep(10'000);
}

// By the same command as a user's.
void RealCluster::start_daemon() {
  daemon_back_.reset();
  std::string program = "minik", command = "start", flag = "-p", name = profile_.name;
  char* argv[] = {program.data(), command.data(), flag.data(), name.data(), nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", 1, 0);
  pid_t pid = 0;
  const int result = posix_spawn(&pid, "/proc/self/exe", &actions, nullptr, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (result != 0) fail(error_from_errno(result, "start the daemon again"));
  int status = 0;
  waitpid(pid, &status, 0);
  if (status != 0) fail(Error(ErrorCode::kInternalError, cat("the daemon did not start again: minik start -p ", profile_.name)));
}

void RealCluster::make_images(const std::set<std::string>& names) {
  const auto store = value_or_fail(runtime::ImageStore::open(profile_.images()));
  char self[4096];
  const ssize_t length = readlink("/proc/self/exe", self, sizeof self);
  Rng unused(0);  // what comparable() has drawn is fixed
  for (const auto& name : names) {
    const sim::ImageBehaviour& behaviour = sim::behaviour_of(comparable_.scenario, name);
    if (behaviour.missing) continue;
    runtime::BuiltInImage image;
    image.name = name;
    image.executable = std::string(self, length > 0 ? static_cast<size_t>(length) : 0);
    image.command = {"demo-server"};
    const auto text = [&](const char* key, Duration duration) { image.env.push_back(cat(key, "=", format_duration(duration))); };
    text("READY_AFTER", behaviour.never_ready ? hours(24 * 365) : behaviour.ready.draw(unused));
    if (behaviour.exit_after) text("EXIT_AFTER", behaviour.exit_after->draw(unused));
    image.env.push_back(cat("EXIT_CODE=", behaviour.exit_code));
    if (behaviour.crash_after) text("CRASH_AFTER", behaviour.crash_after->draw(unused));
    image.env.push_back(cat("CRASH_CODE=", behaviour.crash_code));
    image.env.push_back(cat("MEMORY=", behaviour.memory_bytes));
    image.env.push_back(cat("MEMORY_PER_SECOND=", behaviour.memory_growth_bytes));
    image.env.push_back(cat("DISK=", behaviour.disk_bytes.min));
    image.env.push_back(cat("DISK_PER_SECOND=", behaviour.disk_growth_bytes.min));
    text("STOP_AFTER", behaviour.stop.draw(unused));
    if (behaviour.ignores_sigterm) image.env.push_back("IGNORE_SIGTERM=1");
    if (!behaviour.start_error.empty()) image.entrypoint = {"/no-such-program"};
    (void)value_or_fail(runtime::make_image(*store, image));
  }
}

// A node has what it has run; all else would have to come from the registry.
void RealCluster::take_images(const std::string& match) {
  std::set<std::string> here;
  const auto pods = call(profile_, {"GET", "/api/v1/pods", "", ""});
  for (const auto& pod : pods[keys::kItems].items()) {
    for (const auto& status : pod[keys::kStatus][keys::kContainerStatuses].items()) {
      if (!status[keys::kImageID].as_string().empty()) here.insert(status[keys::kImage].string());
    }
  }
  const auto store = value_or_fail(runtime::ImageStore::open(profile_.images()));
  for (const auto& name : images_) {
    const bool stays = here.contains(name) || sim::behaviour_of(comparable_.scenario, name).preloaded;
    if (!stays && sim::matches_pattern(match, name)) (void)store->remove(name, {}).ok();
  }
}

// The quota that the simulated fault makes.
void RealCluster::settle_quota(const std::string& namespace_) {
  const std::string path = cat("/api/v1/namespaces/", namespace_, "/resourcequotas/", sim::kExhaustedQuota);
  const auto& resources = exhausted_[namespace_];
  if (resources.empty()) {
    call(profile_, {"DELETE", path, "", ""});
    return;
  }
  applied_.push_back(path);
  const Value quota = sim::exhausted_quota(namespace_, {resources.begin(), resources.end()});
  call(profile_, {"PATCH", path + "?fieldManager=minik-compare&force=true", "application/apply-patch+yaml", control::to_json(quota)});
}

// And waits until it is gone, so that the next comparison finds an empty cluster.
void RealCluster::remove_all() {
  constexpr int kTries = 150;
  set_unschedulable(false);
  for (const auto& path : applied_) try_call(profile_, {"DELETE", path, "application/json", R"({"propagationPolicy":"Background"})"});
  for (int i = 0; i < kTries && !first_object().empty(); ++i) usleep(200'000);
}

}  // namespace minik::cli
