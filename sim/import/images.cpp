#include "sim/import/images.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/pod_containers.h"
#include "control/object/object_ref.h"
#include "control/object/quantity.h"
#include "sim/import/times.h"

namespace minik::sim {

namespace keys = control::keys;
using control::MapBuilder;
using control::Value;

namespace {

constexpr Duration kSecond = seconds(1);
// Readiness that came later than this was lost and won again.
constexpr Duration kReadyMax = hours(1);
// A container that has not been ready for so long will not be.
constexpr Duration kNeverReady = minutes(10);
constexpr size_t kManySamples = 20;

struct Ending {
  Duration after;
  int64_t code = 0;
  bool out_of_memory = false;
};

// What was seen of one image.
struct Image {
  std::vector<Duration> pulls, readies;
  std::vector<Ending> endings;
  bool was_present = false, cannot_be_pulled = false, never_ready = false, runs = false, is_ready = false;
  bool ends_by_design = false;  // its pods are to end
  int64_t running_seconds = 0;  // all containers together, those that still run and those that ended
  int64_t memory_limit = 0;
  int64_t milli_cpu = 0, memory_bytes = 0, measured = 0;
};
using Images = std::map<std::string, Image>;

// Nothing when they are the wrong way round, or so far apart that one of them cannot be true.
std::optional<Duration> time_between(WallTime from, WallTime to) {
  constexpr int64_t kYearsMax = 20;
  const int64_t apart = to.ns / kSecond.ns - from.ns / kSecond.ns;
  if (apart < 0 || apart > kYearsMax * 366 * 24 * 3600) return std::nullopt;
  return seconds(apart);
}

std::string text(Duration duration) { return format_duration(milliseconds(duration.milliseconds())); }

// One sample is a fixed time, few are bounds, many are a distribution with a tail.
Value distribution(std::vector<Duration> samples) {
  std::ranges::sort(samples);
  const Duration first = samples.front(), last = samples.back();
  if (samples.size() < kManySamples) {
    if (first == last) return text(first);
    return Value::map({{"min", text(first)}, {"max", text(last)}});
  }
  const Duration median = std::max(milliseconds(1), samples[samples.size() / 2]);
  const Duration p99 = samples[std::min(samples.size() - 1, samples.size() * 99 / 100)];
  return Value::map({{"logNormal", Value::map({{"median", text(median)}, {"p99", text(std::max(p99, median))}})}});
}

const Value& named(const Value& list, const Value& name) {
  for (const auto& item : list.items()) {
    if (item[keys::kName] == name) return item;
  }
  return Value::absent();
}

std::optional<WallTime> ready_since(const Value& pod) {
  for (const auto& condition : pod[keys::kStatus][keys::kConditions].items()) {
    if (condition[keys::kType].as_string() == "Ready" && condition[keys::kStatus].as_string() == "True") {
      return time_of(condition[keys::kLastTransitionTime]);
    }
  }
  return std::nullopt;
}

void look_at_ending(const Value& terminated, Image& image) {
  const auto started = time_of(terminated[keys::kStartedAt]), finished = time_of(terminated[keys::kFinishedAt]);
  if (!started || !finished) return;
  const auto took = time_between(*started, *finished);
  if (!took) return;
  const Ending ending{*took, terminated[keys::kExitCode].as_int(),
                      terminated[keys::kReason].as_string() == "OOMKilled"};
  image.running_seconds += ending.after.seconds();
  image.endings.push_back(ending);
}

void look_at_running(const Value& pod, const Value& spec, const Value& status, WallTime now, Image& image) {
  const auto started = time_of(status[keys::kState][keys::kRunning][keys::kStartedAt]);
  if (!started) return;
  image.runs = true;
  const Duration running = time_between(*started, now).value_or(Duration{});
  image.running_seconds += running.seconds();
  if (!status[keys::kReady].as_bool()) {
    if (running > kNeverReady) image.never_ready = true;
    return;
  }
  image.is_ready = true;
  // Without a probe a container is ready when it runs, and nothing was measured.
  if (!spec[keys::kReadinessProbe].has_value()) return;
  const auto ready = ready_since(pod);
  const auto took = ready ? time_between(*started, *ready) : std::nullopt;
  if (took && *took < kReadyMax) image.readies.push_back(*took);
}

void look_at_pod(const Value& pod, WallTime now, Images& images) {
  const bool to_end = pod[keys::kSpec][keys::kRestartPolicy].as_string("Always") != "Always";
  const std::pair<control::Key, control::Key> lists[] = {{keys::kContainers, keys::kContainerStatuses},
                                                         {keys::kInitContainers, keys::kInitContainerStatuses}};
  for (const auto& [specs, statuses] : lists) {
    for (const auto& spec : pod[keys::kSpec][specs].items()) {
      const std::string name = spec[keys::kImage].string();
      if (name.empty()) continue;
      Image& image = images[name];
      image.ends_by_design |= to_end || (specs == keys::kInitContainers && !control::is_sidecar(spec));
      if (const auto limit = control::Quantity::parse(spec[keys::kResources][keys::kLimits][keys::kMemory].as_string())) {
        image.memory_limit = std::max(image.memory_limit, limit->units());
      }
      const Value& status = named(pod[keys::kStatus][statuses], spec[keys::kName]);
      const auto& waits = status[keys::kState][keys::kWaiting][keys::kReason];
      if (waits.as_string() == "ImagePullBackOff" || waits.as_string() == "ErrImagePull") image.cannot_be_pulled = true;
      look_at_ending(status[keys::kState][keys::kTerminated], image);
      look_at_ending(status[keys::kLastState][keys::kTerminated], image);
      look_at_running(pod, spec, status, now, image);
    }
  }
}

// `Successfully pulled image "web:1" in 1.284s (1.284s including waiting). Image size: 4 bytes.`
void look_at_event(const Value& event, Images& images) {
  if (event[keys::kReason].as_string() != "Pulled") return;
  const std::string message = event[keys::kMessage].string();
  const size_t open = message.find('"');
  const size_t close = open == std::string::npos ? open : message.find('"', open + 1);
  if (close == std::string::npos) return;
  Image& image = images[message.substr(open + 1, close - open - 1)];
  if (message.find("already present") != std::string::npos) image.was_present = true;
  constexpr std::string_view kIn = " in ";
  const size_t in = message.find(kIn, close);
  if (!message.starts_with("Successfully pulled") || in == std::string::npos) return;
  std::string_view time = std::string_view(message).substr(in + kIn.size());
  time = time.substr(0, time.find(' '));
  if (time.ends_with('.')) time.remove_suffix(1);  // where nothing is said of waiting
  const auto took = parse_duration(time);
  if (took && *took >= Duration{} && *took < hours(24)) image.pulls.push_back(*took);
}

void look_at_metrics(const Value& metrics, const std::vector<Value>& pods, Images& images) {
  const auto pod = std::ranges::find_if(pods, [&](const Value& p) {
    return control::object_name(p) == control::object_name(metrics) && control::object_namespace(p) == control::object_namespace(metrics);
  });
  if (pod == pods.end()) return;
  for (const auto& container : metrics[keys::kContainers].items()) {
    const Value& spec = named((*pod)[keys::kSpec][keys::kContainers], container[keys::kName]);
    const auto cpu = control::Quantity::parse(container[keys::kUsage][keys::kCpu].as_string());
    const auto memory = control::Quantity::parse(container[keys::kUsage][keys::kMemory].as_string());
    if (!spec.has_value() || !cpu || !memory) continue;
    Image& image = images[spec[keys::kImage].string()];
    image.milli_cpu += cpu->milli();
    image.memory_bytes += memory->units();
    ++image.measured;
  }
}

// How containers of this image end: always, now and then, or for want of memory.
void say_endings(const Image& image, const std::string& name, MapBuilder& behaviour, Notes& notes) {
  std::vector<Duration> good, bad, out_of_memory;
  std::map<int64_t, size_t> codes;
  for (const auto& ending : image.endings) {
    auto& into = ending.out_of_memory ? out_of_memory : ending.code == 0 ? good : bad;
    into.push_back(ending.after);
    if (ending.code != 0 && !ending.out_of_memory) ++codes[ending.code];
  }
  if (!out_of_memory.empty() && image.memory_limit > 0) {
    std::ranges::sort(out_of_memory);
    const Duration median = std::max(kSecond, out_of_memory[out_of_memory.size() / 2]);
    behaviour.set("uses", Value::map({{"memoryGrowthPerSecond", std::max<int64_t>(1, image.memory_limit / median.seconds())}}));
  } else if (!out_of_memory.empty()) {
    notes.add("containers that a node killed for its own want of memory crash with code 137 instead", name);
    codes[137] += out_of_memory.size();
    bad.insert(bad.end(), out_of_memory.begin(), out_of_memory.end());
  }
  const auto usual = std::ranges::max_element(codes, {}, [](const auto& entry) { return entry.second; });
  const int64_t code = usual == codes.end() ? 1 : std::clamp<int64_t>(usual->first, 1, 255);
  if (image.ends_by_design || (!image.runs && bad.empty() && !good.empty())) {
    if (good.empty() && bad.empty()) return;
    behaviour.set("exitAfter", distribution(good.empty() ? bad : good));
    if (good.empty()) behaviour.set("exitCode", code);
    if (!good.empty() && !bad.empty()) {
      const auto percent = std::max<size_t>(1, bad.size() * 100 / (good.size() + bad.size()));
      behaviour.set("crash", Value::map({{"atStart", cat(percent, "%")}, {"exitCode", code}}));
    }
    return;
  }
  if (bad.empty()) return;
  const Duration mean = std::max(kSecond, seconds(image.running_seconds / static_cast<int64_t>(bad.size())));
  behaviour.set("crash", Value::map({{"after", Value::map({{"exponential", Value::map({{"mean", text(mean)}})}})}, {"exitCode", code}}));
}

Value behaviour_of(const std::string& name, const Image& image, Notes& notes) {
  MapBuilder behaviour;
  if (!image.pulls.empty()) behaviour.set("pull", distribution(image.pulls));
  if (image.pulls.empty() && image.was_present) behaviour.set("preloaded", true);
  const bool ever_ran = image.runs || !image.endings.empty() || !image.pulls.empty();
  if (image.cannot_be_pulled && !ever_ran) behaviour.set("missing", true);
  if (!image.readies.empty()) behaviour.set("ready", distribution(image.readies));
  if (image.never_ready && !image.is_ready) behaviour.set("neverReady", true);
  say_endings(image, name, behaviour, notes);
  if (image.measured > 0) {
    MapBuilder uses(behaviour.get("uses"));
    uses.set("cpu", cat(image.milli_cpu / image.measured, "m"));
    // What grows to its limit would not begin where it was when somebody looked.
    if (uses.get("memoryGrowthPerSecond").is_absent()) uses.set("memory", image.memory_bytes / image.measured);
    behaviour.set("uses", std::move(uses).build());
  }
  if (behaviour.empty()) return {};
  behaviour.set("match", name);
  return std::move(behaviour).build();
}

}  // namespace

std::vector<Value> image_behaviours(const Observations& seen, WallTime now, Notes& notes) {
  Images images;
  for (const auto& pod : seen.pods) look_at_pod(pod, now, images);
  for (const auto& event : seen.events) look_at_event(event, images);
  for (const auto& metrics : seen.pod_metrics) look_at_metrics(metrics, seen.pods, images);
  std::vector<Value> behaviours;
  for (const auto& [name, image] : images) {
    Value behaviour = behaviour_of(name, image, notes);
    if (behaviour.has_value()) {
      behaviours.push_back(std::move(behaviour));
    } else if (!name.empty()) {
      notes.add("nothing was seen of how these images behave, so they behave as usual", name);
    }
  }
  return behaviours;
}

}  // namespace minik::sim
