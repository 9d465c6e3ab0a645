#include "sim/swarm.h"

#include <algorithm>
#include <string>
#include <vector>

#include "control/base/rng.h"
#include "control/base/text.h"
#include "sim/scenario/fault_draws.h"
#include "sim/scenario/parts.h"

namespace minik::sim {

using control::Value;

namespace {

constexpr int64_t kMilliCpuOfNode = 4'000;
// Of all that the machines have; the rest is room for surges and lost machines.
constexpr int64_t kPercentUsedMax = 50;

class Swarm {
 public:
  explicit Swarm(uint64_t seed) : seed_(seed), rng_(Rng(seed).fork("swarm")) {}

  Value scenario() {
    draw_nodes();
    draw_workloads();
    draw_changes();
    draw_faults();
    const Value spec = Value::map({
        {"seed", static_cast<int64_t>(seed_ & INT64_MAX)},
        {"duration", text_of(minutes(phase_minutes_))},
        {"nodes", Value::array({Value::map({{"name", "node"}, {"count", nodes_}, {"zones", Value::array(zones_)},
                                            {"capacity", Value::map({{"cpu", "4"}, {"memory", "16Gi"}, {"pods", 60}})}})})},
        {"images", Value::array(images())},
        {"workloads", Value::array(workloads_)},
        {"timeline", Value::array(timeline_)},
        {"faults", Value::array(faults_)},
        {"convergence", Value::map({{"within", "30m"}})},
    });
    return Value::map({{"apiVersion", "minik.dev/v1alpha1"},
                       {"kind", "Scenario"},
                       {"metadata", Value::map({{"name", cat("swarm-", seed_)}})},
                       {"spec", spec}});
  }

 private:
  bool chance(uint32_t percent) { return rng_.chance_ppm(percent * 10'000); }
  int64_t number(int64_t low, int64_t high) { return rng_.between(low, high); }
  static std::string text_of(Duration time) { return format_duration(time); }
  std::string moment() { return text_of(seconds(number(30, phase_minutes_ * 60 - 30))); }
  Value spread(Duration low, Duration high) {
    const Duration first = rng_.between(low, high);
    return Value::map({{"min", text_of(milliseconds(first.milliseconds()))}, {"max", text_of(milliseconds(first.milliseconds() * number(1, 5)))}});
  }

  void draw_nodes() {
    nodes_ = number(3, chance(25) ? 40 : 12);
    const int64_t zones = number(1, 3);
    for (int64_t i = 0; i < zones; ++i) zones_.push_back(std::string(1, static_cast<char>('a' + i)));
    milli_cpu_left_ = nodes_ * kMilliCpuOfNode * kPercentUsedMax / 100;
    phase_minutes_ = number(4, 10);
  }

  // A Job's images end, all others run for ever.
  std::vector<Value> images() {
    std::vector<Value> all;
    for (const auto& name : jobs_) all.push_back(image(cat(name, ":*")).with("exitAfter", spread(seconds(1), seconds(60))));
    const Value all_others = image("*");
    all.push_back(needs_names_ ? all_others.with("needs", Value::map({{"dns", true}, {"else", chance(50) ? "crash" : "notReady"}})) : all_others);
    return all;
  }
  Value image(const std::string& match) {
    return Value::map({{"match", match},
                       {"pull", spread(milliseconds(200), seconds(5))},
                       {"start", spread(milliseconds(50), seconds(1))},
                       {"ready", spread(milliseconds(100), seconds(10))},
                       {"stop", spread(milliseconds(50), seconds(5))}});
  }

  // As many as are wanted, or as fit.
  int64_t replicas(int64_t most, int64_t milli_cpu) {
    const int64_t count = std::max<int64_t>(1, std::min(number(1, most), milli_cpu_left_ / milli_cpu));
    milli_cpu_left_ = std::max<int64_t>(0, milli_cpu_left_ - count * milli_cpu);
    return count;
  }

  static Value labels(const std::string& name) { return Value::map({{"app", name}}); }
  static Value container(const std::string& name, int64_t milli_cpu, bool probed) {
    Value value = Value::map({{"name", "main"}, {"image", cat(name, ":1")}});
    if (milli_cpu > 0) {
      value = value.with("resources", Value::map({{"requests", Value::map({{"cpu", cat(milli_cpu, "m")}, {"memory", "64Mi"}})}}));
    }
    if (!probed) return value;
    return value.with("readinessProbe", Value::map({{"httpGet", Value::map({{"path", "/readyz"}, {"port", 8080}})}, {"periodSeconds", 2}}));
  }
  Value pod_template(const std::string& name, int64_t milli_cpu) {
    const Value pod = Value::map({{"containers", Value::array({container(name, milli_cpu, chance(70))})},
                                  {"terminationGracePeriodSeconds", number(1, 30)}});
    return Value::map({{"metadata", Value::map({{"labels", labels(name)}})}, {"spec", pod}});
  }
  static Value object(const char* api_version, const char* kind, const std::string& name, Value spec) {
    return Value::map({{"apiVersion", api_version}, {"kind", kind}, {"metadata", Value::map({{"name", name}})}, {"spec", std::move(spec)}});
  }
  static Value selector(const std::string& name) { return Value::map({{"matchLabels", labels(name)}}); }

  void draw_workloads() {
    const int64_t count = number(1, 5);
    for (int64_t i = 0; i < count; ++i) {
      const std::string name = cat("app-", i);
      const int64_t milli_cpu = number(1, 8) * 50;
      switch (number(0, 5)) {
        case 0: add_stateful_set(name, milli_cpu); break;
        case 1: add_daemon_set(name); break;
        case 2: add_job(name, milli_cpu); break;
        default: add_deployment(name, milli_cpu); break;
      }
    }
  }

  void add_deployment(const std::string& name, int64_t milli_cpu) {
    Value spec = Value::map({{"replicas", replicas(chance(20) ? 60 : 12, milli_cpu)},
                             {"selector", selector(name)},
                             {"template", pod_template(name, milli_cpu)}});
    if (chance(60)) {
      const int64_t surge = number(0, 4) * 25;
      const Value bounds = Value::map({{"maxSurge", cat(surge, "%")}, {"maxUnavailable", cat(surge == 0 ? 25 : number(0, 2) * 25, "%")}});
      spec = spec.with("strategy", Value::map({{"rollingUpdate", bounds}}));
    }
    workloads_.push_back(object("apps/v1", "Deployment", name, spec));
    changeable_.push_back({"Deployment", name, true});
    add_companions(name);
  }

  void add_stateful_set(const std::string& name, int64_t milli_cpu) {
    const Value spec = Value::map({{"replicas", replicas(6, milli_cpu)},
                                   {"selector", selector(name)},
                                   {"serviceName", name},
                                   {"podManagementPolicy", chance(50) ? "Parallel" : "OrderedReady"},
                                   {"template", pod_template(name, milli_cpu)}});
    workloads_.push_back(object("apps/v1", "StatefulSet", name, spec));
    changeable_.push_back({"StatefulSet", name, true});
    add_companions(name);
  }

  void add_daemon_set(const std::string& name) {
    workloads_.push_back(object("apps/v1", "DaemonSet", name, Value::map({{"selector", selector(name)}, {"template", pod_template(name, 0)}})));
    changeable_.push_back({"DaemonSet", name, false});
  }

  void add_job(const std::string& name, int64_t milli_cpu) {
    const int64_t parallelism = replicas(8, milli_cpu);
    jobs_.push_back(name);
    const Value pod = Value::map({{"restartPolicy", chance(50) ? "Never" : "OnFailure"},
                                  {"containers", Value::array({container(name, milli_cpu, false)})}});
    const Value spec = Value::map({{"completions", number(1, 4) * parallelism},
                                   {"parallelism", parallelism},
                                   {"backoffLimit", 1'000},
                                   {"completionMode", chance(50) ? "Indexed" : "NonIndexed"},
                                   {"template", Value::map({{"spec", pod}})}});
    workloads_.push_back(object("batch/v1", "Job", name, spec));
  }

  void add_companions(const std::string& name) {
    if (chance(60)) {
      const Value port = Value::map({{"port", 80}, {"targetPort", 8080}});
      workloads_.push_back(object("v1", "Service", name, Value::map({{"selector", labels(name)}, {"ports", Value::array({port})}})));
    }
    if (chance(40)) {
      workloads_.push_back(object("policy/v1", "PodDisruptionBudget", name,
                                  Value::map({{"selector", selector(name)}, {"maxUnavailable", number(1, 2)}})));
    }
  }

  void draw_changes() {
    for (const auto& [kind, name, scales] : changeable_) {
      Value target = Value::map({{"kind", kind}, {"name", name}});
      for (int64_t version = 2; chance(45) && version < 6; ++version) {
        const Value change = target.with("container", "main").with("image", cat(name, ":", version));
        timeline_.push_back(Value::map({{"at", moment()}, {"setImage", change}}));
      }
      if (scales && chance(30)) {
        timeline_.push_back(Value::map({{"at", moment()}, {"scale", target.with("replicas", number(0, 8))}}));
      }
    }
    if (chance(30)) {
      const int64_t count = number(1, std::max<int64_t>(1, nodes_ / 4));
      const std::string begin = moment();
      timeline_.push_back(Value::map({{"at", begin}, {"drain", Value::map({{"count", count}, {"timeout", "2m"}})}}));
      timeline_.push_back(Value::map({{"at", text_of(minutes(phase_minutes_) - seconds(1))}, {"uncordon", "all"}}));
    }
  }

  void draw_faults() {
    DrawnWorld world{rng_, nodes_};
    const auto& names = fault_names();
    const int64_t count = number(1, 4);
    for (int64_t i = 0; i < count; ++i) {
      const std::string_view name = names[rng_.below(names.size())];
      std::vector<control::MapEntry> fault{{control::Key(name), draw_fault(name, world)}};
      if (chance(30)) {
        fault.push_back({"random", Value::map({{"every", Value::map({{"exponential", Value::map({{"mean", text_of(seconds(number(20, 180)))}})}})}})});
        fault.push_back({"for", text_of(seconds(number(2, 60)))});
      } else {
        fault.push_back({"at", moment()});
        if (fault_lasts(name) && chance(80)) fault.push_back({"for", text_of(seconds(number(2, 150)))});
      }
      faults_.push_back(Value::map(std::move(fault)));
    }
    needs_names_ = world.needs_names;
    if (world.asks_webhooks) add_webhook();
  }

  // One that is asked about every pod.
  void add_webhook() {
    const Value rule = Value::map({{"apiGroups", Value::array({""})},
                                   {"apiVersions", Value::array({"v1"})},
                                   {"operations", Value::array({"CREATE", "UPDATE"})},
                                   {"resources", Value::array({"pods"})}});
    const Value webhook = Value::map({{"name", "guard.example.com"},
                                      {"failurePolicy", chance(50) ? "Fail" : "Ignore"},
                                      {"sideEffects", "None"},
                                      {"timeoutSeconds", number(1, 10)},
                                      {"admissionReviewVersions", Value::array({"v1"})},
                                      {"clientConfig", Value::map({{"url", "https://guard.example.com/"}})},
                                      {"rules", Value::array({rule})}});
    workloads_.push_back(Value::map({{"apiVersion", "admissionregistration.k8s.io/v1"},
                                     {"kind", "ValidatingWebhookConfiguration"},
                                     {"metadata", Value::map({{"name", "guard"}})},
                                     {"webhooks", Value::array({webhook})}}));
  }

  const uint64_t seed_;
  Rng rng_;
  int64_t nodes_ = 0, milli_cpu_left_ = 0, phase_minutes_ = 0;
  bool needs_names_ = false;
  std::vector<Value> zones_, workloads_, timeline_, faults_;
  struct Changeable {
    std::string kind, name;
    bool scales;
  };
  std::vector<Changeable> changeable_;
  std::vector<std::string> jobs_;
};

}  // namespace

Value swarm_scenario(uint64_t seed) { return Swarm(seed).scenario(); }

}  // namespace minik::sim
