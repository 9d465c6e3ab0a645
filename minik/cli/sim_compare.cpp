// minik sim compare: one scenario in a real cluster and in the simulator, and whether the objects went through the same
// states in both.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <mutex>
#include <set>
#include <thread>

#include "control/api/api_server.h"
#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"
#include "control/object/selector.h"
#include "control/object/yaml.h"
#include "minik/cli/api_connection.h"
#include "minik/cli/command.h"
#include "minik/cli/simulation.h"
#include "runtime/container/files.h"
#include "runtime/image/image_maker.h"
#include "runtime/image/image_store.h"
#include "sim/agreement/comparison.h"
#include "minik/process/profile.h"
#include "sim/run.h"

namespace minik::cli {

namespace keys = control::keys;
using control::Value;

namespace {

constexpr std::string_view kCompared[] = {"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "Pod", "EndpointSlice"};

const control::ResourceInfo& resource_of(std::string_view kind) {
  for (const auto& resource : control::Schema::builtin().resources()) {
    if (resource.kind == kind && resource.has_verb("create")) return resource;
  }
  fail(Error(ErrorCode::kBadRequest, cat("there is no kind ", kind)), kNotValid);
}

std::string path_of(const control::ResourceInfo& resource, std::string_view namespace_, std::string_view name) {
  std::string path = resource.group.empty() ? cat("/api/", resource.version) : cat("/apis/", resource.group, "/", resource.version);
  if (resource.namespaced && !namespace_.empty()) path += cat("/namespaces/", namespace_);
  path += cat("/", resource.plural);
  return name.empty() ? path : cat(path, "/", name);
}

// Not what every cluster has of its own.
bool is_compared(const Value& object) {
  const std::string namespace_(control::object_namespace(object));
  return !namespace_.starts_with("kube-") && control::object_name(object) != "kubernetes";
}

// The timeline as the file has it; parse_scenario() has found it valid.
struct Act {
  Duration at;
  std::string what;
  Value body;
};

std::vector<Act> acts_of(const std::string& text, const std::string& path) {
  const auto documents = value_or_fail(control::parse_yaml(text, path));
  const Value& spec = documents[0].value[keys::kSpec];
  if (!spec.get("faults").empty()) {
    fail(Error(ErrorCode::kBadRequest, cat(path, ": faults cannot be compared; crashContainers can stand in the timeline")), kNotValid);
  }
  std::vector<Act> acts;
  if (spec.contains("workloads")) acts.push_back({{}, "apply", spec.get("workloads")});
  for (const auto& item : spec.get("timeline").items()) {
    const auto at = parse_duration(item.get("at").string());
    for (const auto& [key, value] : item.entries()) {
      const std::string what(key.text());
      if (what == "at") continue;
      static const std::set<std::string> known = {"apply", "setImage", "scale", "patch", "delete", "cordon", "uncordon", "drain", "crashContainers"};
      if (!at || !known.contains(what)) {
        fail(Error(ErrorCode::kBadRequest, cat(path, ": ", what, " cannot be done to a real cluster; what can be compared is ",
                                               join(std::vector<std::string>(known.begin(), known.end()), ", "), " at a time")), kNotValid);
      }
      // Which nodes and pods would be drawn is not the same in both, and neither are their names.
      if ((what.ends_with("cordon") || what == "drain") && value.as_string() != "all") {
        fail(Error(ErrorCode::kBadRequest, cat(path, ": ", what, " can be compared of all nodes: ", what, ": all")), kNotValid);
      }
      if (what == "crashContainers" && (value.contains("count") || value.contains("node") || value.contains("container") || value.get("exitCode").as_int(1) != 1)) {
        fail(Error(ErrorCode::kBadRequest, cat(path, ": crashContainers can be compared of all containers of a namespace and labelSelector, with exitCode 1")), kNotValid);
      }
      acts.push_back({*at, what, value});
    }
  }
  std::ranges::stable_sort(acts, {}, &Act::at);
  return acts;
}

std::vector<Value> objects_of(const Value& body) {
  if (body.is_array()) return {body.items().begin(), body.items().end()};
  return {body};
}

// Every image that the timeline speaks of.
void find_images(const Value& value, std::set<std::string>& into) {
  for (const auto& item : value.items()) find_images(item, into);
  for (const auto& [key, item] : value.entries()) {
    if (key.text() == "image" && item.is_string()) into.insert(item.string());
    find_images(item, into);
  }
}

// Real images that behave as the scenario says: the demo server under their names.
void make_images(const Profile& profile, const sim::Scenario& scenario, const std::vector<Act>& acts) {
  const auto store = value_or_fail(runtime::ImageStore::open(profile.images()));
  std::set<std::string> names;
  for (const auto& act : acts) find_images(act.body, names);
  char self[4096];
  const ssize_t length = readlink("/proc/self/exe", self, sizeof self);
  Rng rng(scenario.seed);
  for (const auto& name : names) {
    static const sim::ImageBehaviour usual;
    const sim::ImageBehaviour* behaviour = &usual;
    for (const auto& image : scenario.images) {
      if (!sim::matches_pattern(image.match, name)) continue;
      behaviour = &image;
      break;
    }
    if (behaviour->missing) continue;
    runtime::BuiltInImage image;
    image.name = name;
    image.executable = std::string(self, length > 0 ? static_cast<size_t>(length) : 0);
    image.command = {"demo-server"};
    const auto text = [&](const char* key, Duration duration) { image.env.push_back(cat(key, "=", format_duration(duration))); };
    text("READY_AFTER", behaviour->never_ready ? hours(24 * 365) : behaviour->ready.draw(rng));
    if (behaviour->exit_after) text("EXIT_AFTER", behaviour->exit_after->draw(rng));
    image.env.push_back(cat("EXIT_CODE=", behaviour->exit_code));
    (void)value_or_fail(runtime::make_image(*store, image));
  }
}

// Watches of a real cluster, each on a thread of its own, into one recorder.
class RealWatches {
 public:
  explicit RealWatches(const Profile& profile) {
    while (connections_.size() < std::size(kCompared)) connections_.push_back(value_or_fail(ApiConnection::open(profile)));
    for (size_t i = 0; i < connections_.size(); ++i) {
      threads_.emplace_back([this, i] {
        const auto& resource = resource_of(kCompared[i]);
        (void)connections_[i].watch(path_of(resource, "", "") + "?watch=true", [&](const Value& event) { see(kCompared[i], event); }).ok();
      });
    }
  }
  ~RealWatches() { end(); }
  RealWatches(const RealWatches&) = delete;
  RealWatches& operator=(const RealWatches&) = delete;

  sim::WorldHistory end() {
    for (auto& connection : connections_) connection.end();
    for (auto& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
    return recorder_.history();
  }

 private:
  void see(std::string_view kind, const Value& event) {
    const Value& object = event.get("object");
    if (!is_compared(object)) return;
    const std::lock_guard lock(mutex_);
    const Value& type = event.get("type");
    if (type.as_string() == "DELETED") {
      recorder_.see_deletion(kind, object);
    } else {
      recorder_.see(kind, object);
    }
  }

  std::vector<ApiConnection> connections_;
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  sim::HistoryRecorder recorder_;
};

class RealCluster {
 public:
  explicit RealCluster(Profile profile) : profile_(std::move(profile)) {}

  // What was there before would be compared with nothing.
  void must_be_empty() {
    const std::string found = first_object();
    if (found.empty()) return;
    fail(Error(ErrorCode::kConflict, cat("cluster ", profile_.name, " has objects of its own (", found,
                                         "): compare in a fresh one, minik start -p agree")));
  }

  void perform(const Act& act) {
    if (act.what == "apply") {
      for (const auto& object : objects_of(act.body)) apply(object);
      return;
    }
    if (act.what == "cordon" || act.what == "uncordon") return set_unschedulable(act.what == "cordon");
    if (act.what == "drain") return drain();
    if (act.what == "crashContainers") return crash_containers(act.body);
    const auto& resource = resource_of(act.body[keys::kKind].string());
    const std::string path = path_of(resource, act.body[keys::kNamespace].as_string("default"), act.body[keys::kName].string());
    if (act.what == "delete") {
      call({"DELETE", path, "application/json", "{}"});
      return;
    }
    Value patch = act.body.get("patch");
    std::string type = act.body.get("type").string();
    if (act.what == "scale") patch = Value::empty_map().with_at({keys::kSpec, keys::kReplicas}, act.body.get("replicas"));
    if (act.what == "setImage") {
      const Value container = Value::map({{keys::kName, act.body.get("container")}, {keys::kImage, act.body.get("image")}});
      patch = Value::empty_map().with_at({keys::kSpec, keys::kTemplate, keys::kSpec, keys::kContainers}, Value::array({container}));
    }
    const std::string media = type == "json" ? "json-patch" : type == "merge" ? "merge-patch" : "strategic-merge-patch";
    call({"PATCH", path, cat("application/", media, "+json"), control::to_json(patch)});
  }

  // And waits until it is gone, so that the next comparison finds an empty cluster.
  void remove_all() {
    constexpr int kTries = 150;
    set_unschedulable(false);
    for (const auto& path : applied_) try_call({"DELETE", path, "application/json", R"({"propagationPolicy":"Background"})"});
    for (int i = 0; i < kTries && !first_object().empty(); ++i) usleep(200'000);
  }

 private:
  std::string first_object() {
    for (const auto kind : kCompared) {
      const auto list = call({"GET", path_of(resource_of(kind), "", ""), "", ""});
      for (const auto& object : list[keys::kItems].items()) {
        if (is_compared(object)) return cat(kind, " ", control::object_name(object));
      }
    }
    return "";
  }

  void set_unschedulable(bool unschedulable) {
    const Value patch = Value::empty_map().with_at({keys::kSpec, keys::kUnschedulable}, Value(unschedulable));
    const auto nodes = call({"GET", "/api/v1/nodes", "", ""});
    for (const auto& node : nodes[keys::kItems].items()) {
      call({"PATCH", cat("/api/v1/nodes/", control::object_name(node)), "application/strategic-merge-patch+json", control::to_json(patch)});
    }
  }

  // As the simulated one: evict, look again after a second, until nothing is left but what DaemonSets own.
  void drain() {
    constexpr int kTries = 60;
    set_unschedulable(true);
    for (int i = 0; i < kTries; ++i) {
      bool left = false;
      const auto pods = call({"GET", "/api/v1/pods", "", ""});
      for (const auto& pod : pods[keys::kItems].items()) {
        const bool moves = control::controller_of(pod)[keys::kKind].as_string() != "DaemonSet";
        if (!is_compared(pod) || !moves || pod[keys::kSpec][keys::kNodeName].as_string().empty()) continue;
        left = true;
        if (control::is_deleting(pod)) continue;
        const Value metadata = Value::map({{keys::kName, control::object_name(pod)}, {keys::kNamespace, control::object_namespace(pod)}});
        const Value eviction = Value::map({{keys::kApiVersion, "policy/v1"}, {keys::kKind, "Eviction"}, {keys::kMetadata, metadata}});
        try_call({"POST", cat(pod_path(pod), "/eviction"), "application/json", control::to_json(eviction)});
      }
      if (!left) return;
      usleep(1'000'000);
    }
  }

  // The demo server ends with 1 when it is asked to, and answers nothing any more.
  void crash_containers(const Value& which) {
    const auto selector = value_or_fail(control::LabelSelector::parse(which.get("labelSelector").string()));
    const auto namespace_ = which[keys::kNamespace].as_string();
    const auto pods = call({"GET", "/api/v1/pods", "", ""});
    for (const auto& pod : pods[keys::kItems].items()) {
      if (!is_compared(pod) || !selector.matches(pod[keys::kMetadata][keys::kLabels])) continue;
      if (!namespace_.empty() && control::object_namespace(pod) != namespace_) continue;
      try_call({"GET", cat(pod_path(pod), ":8080/proxy/crash"), "", ""});
    }
  }

  static std::string pod_path(const Value& pod) {
    return cat("/api/v1/namespaces/", control::object_namespace(pod), "/pods/", control::object_name(pod));
  }

  // What may be refused.
  void try_call(const ApiCall& call) {
    auto connection = ApiConnection::open(profile_);
    if (connection) (void)connection->call(call).ok();
  }

  Value call(const ApiCall& call) {
    auto connection = value_or_fail(ApiConnection::open(profile_));
    return value_or_fail(connection.call(call));
  }

  void apply(const Value& object) {
    const auto& resource = resource_of(object[keys::kKind].string());
    const Value& namespace_ = object[keys::kMetadata][keys::kNamespace];
    const std::string path = path_of(resource, namespace_.as_string("default"), control::object_name(object));
    call({"PATCH", path + "?fieldManager=minik-compare&force=true", "application/apply-patch+yaml", control::to_json(object)});
    applied_.push_back(path);
  }

  Profile profile_;
  std::vector<std::string> applied_;
};

int64_t real_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

sim::WorldHistory in_reality(const Profile& profile, const sim::Scenario& scenario, const std::vector<Act>& acts) {
  if (daemon_pid(profile) == 0) {
    fail(Error(ErrorCode::kServiceUnavailable, cat("cluster ", profile.name, " does not run: minik start -p ", profile.name)));
  }
  make_images(profile, scenario, acts);
  RealCluster cluster(profile);
  cluster.must_be_empty();
  RealWatches watches(profile);
  const int64_t begin = real_ms();
  const auto wait_until = [&](Duration at) {
    const int64_t left = begin + at.milliseconds() - real_ms();
    if (left > 0) usleep(static_cast<useconds_t>(left) * 1000);
  };
  for (const auto& act : acts) {
    wait_until(act.at);
    cluster.perform(act);
  }
  wait_until(scenario.duration);
  auto history = watches.end();
  cluster.remove_all();
  return history;
}

sim::WorldHistory in_simulation(const sim::Scenario& scenario, uint64_t seed) {
  sim::RunOptions options;
  options.seed = seed;
  sim::HistoryRecorder recorder;
  sim::Run run(scenario, options);
  check(run.start());
  std::vector<std::unique_ptr<control::WatchHandle>> watches;
  for (const auto kind : kCompared) {
    control::ApiRequest request;
    request.verb = control::Verb::kWatch;
    request.kind = resource_of(kind).id;
    request.user = control::component_user("system:compare");
    control::WatchCallbacks callbacks;
    callbacks.on_event = [&recorder, kind](const control::WatchEvent& event) {
      if (!is_compared(event.object)) return;
      if (event.type == control::WatchEventType::kDeleted) {
        recorder.see_deletion(kind, event.object);
      } else {
        recorder.see(kind, event.object);
      }
    };
    callbacks.on_end = [](const Status&) {};
    watches.push_back(value_or_fail(run.cluster().api().watch(request, std::move(callbacks))));
  }
  run.advance(scenario.duration, [] { return false; });
  return recorder.history();
}

void print(const std::vector<sim::Disagreement>& all, const sim::WorldHistory& real) {
  std::string object;
  for (const auto& one : all) {
    if (one.object != object) std::printf("%s\n", one.object.c_str());
    object = one.object;
    std::printf("  %s\n    real       %s\n    simulated  %s\n", one.path.c_str(), one.real.c_str(), one.simulated.c_str());
  }
  size_t paths = 0;
  for (const auto& [name, members] : real) {
    for (const auto& member : members) paths += member.paths.size();
  }
  std::printf("%s: %zu kinds of objects with %zu fields, %zu disagreements\n", all.empty() ? "real and simulated agree" : "FAILED",
              real.size(), paths, all.size());
}

struct CompareFlags {
  std::string path, format = "text";
  std::optional<uint64_t> seed;
};

void compare(const Globals& globals, const CompareFlags& flags) {
  const sim::Scenario scenario = load_scenario(flags.path);
  const auto acts = acts_of(value_or_fail(runtime::read_whole_file(flags.path)), flags.path);
  const auto simulated = in_simulation(scenario, flags.seed.value_or(scenario.seed));
  const auto real = in_reality(value_or_fail(Profile::open(globals.profile)), scenario, acts);
  const auto all = sim::disagreements(real, simulated);
  if (flags.format == "json") {
    std::vector<Value> items;
    for (const auto& one : all) {
      items.push_back(Value::map({{"object", one.object}, {"path", one.path}, {"real", one.real}, {"simulated", one.simulated}}));
    }
    std::fputs(control::to_pretty_json(Value::array(std::move(items))).c_str(), stdout);
  } else {
    print(all, real);
  }
  if (!all.empty()) throw Exit{kFailed};
}

}  // namespace

void add_compare(CLI::App& sim, Globals& globals) {
  static CompareFlags flags;
  static uint64_t seed = 0;
  auto* command = sim.add_subcommand(
      "compare", "Run a scenario in a real cluster and in the simulator, and compare the states of every object field by field");
  command->footer("Example: minik start -p agree && minik sim compare rollout.yaml -p agree\n"
                  "A virtual second is a real one; images become the demo server, which behaves as the scenario says.");
  command->add_option("file", flags.path, "The scenario: what is applied, changed, drained and crashed at a time")->required();
  auto* seed_option = command->add_option("--seed", seed, "Of the simulated run, instead of the scenario's own");
  add_output_option(*command, flags.format);
  command->callback([seed_option, &globals] {
    if (seed_option->count() > 0) flags.seed = seed;
    compare(globals, flags);
  });
}

}  // namespace minik::cli
