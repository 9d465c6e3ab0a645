// Pools of machines and the behaviour of images.
#include <algorithm>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"
#include "control/schema/names.h"
#include "control/schema/validation.h"
#include "sim/scenario/manifest_fields.h"
#include "sim/scenario/parts.h"
#include "sim/simulated_disk.h"

namespace minik::sim {

namespace keys = control::keys;
using control::Value;

namespace {
constexpr std::string_view kCpuMax = "100k", kMemoryMax = "1Pi";

// {memory.available: 500Mi, nodefs.available: 0%}: what is not named stays as it is by default.
Status read_eviction_hard(const Reader& r, const Value& v, const std::string& at, control::EvictionThresholds& thresholds) {
  const Value& given = v.get("evictionHard");
  const std::string here = at + ".evictionHard";
  if (given.has_value() && !given.is_map()) return r.error(here, "is a map of signals and thresholds, {memory.available: 500Mi}");
  for (const auto& [name, value] : given.entries()) {
    const auto signal = control::eviction_signal_named(name.text());
    if (!signal) return r.error(here, cat("does not know the signal ", quoted(name.text()), ": ", control::known_eviction_signals()));
    const auto threshold = control::parse_eviction_threshold(*signal, value.is_int() ? cat(value.as_int()) : value.string());
    if (!threshold) return r.error(cat(here, ".", name.text()), threshold.error().message);
    thresholds.erase(*signal);
    if (*threshold) thresholds[*signal] = **threshold;
  }
  return {};
}

// As the API server will see them: one that it refuses would never register, and nobody would say why.
Status check_nodes(const Reader& r, const std::string& at, const NodePool& pool) {
  if (const auto wrong = control::check_dns_subdomain(pool.name); !wrong.empty()) return r.error(at + ".name", wrong.front());
  Value labels = Value::empty_map();
  for (const auto& [name, value] : pool.labels) labels = labels.with(control::Key(name), value);
  const Value node = Value::map({{keys::kMetadata, Value::map({{keys::kName, pool.name}, {keys::kLabels, labels}})},
                                 {keys::kSpec, Value::map({{keys::kTaints, pool.taints}})}});
  const auto& resource = control::Schema::builtin().resource(control::kinds::kNodes);
  // "spec.taints[0].effect" stands where the pool says "taints".
  const auto place_of = [&](std::string_view field) { return cat(at, field.substr(std::min(field.find('.'), field.size()))); };
  if (const auto complaint = complaint_about(resource, node)) return r.error(place_of(complaint->path), complaint->what);
  const auto errors = control::check_object(resource, node);
  if (!errors.empty()) return r.error(place_of(errors.list().front().field), errors.list().front().body());
  for (const auto& zone : pool.zones) {
    if (const auto wrong = control::check_label_value(zone); !wrong.empty()) return r.error(at + ".zones", cat(quoted(zone), ": ", wrong.front()));
  }
  return {};
}

}  // namespace

Result<NodePool> read_pool(const Reader& r, const Value& v, const std::string& at) {
  MINIK_TRY(r.only(v, at, {"name", "count", "capacity", "evictionHard", "labels", "zones", "taints", "clockSkew"}));
  NodePool pool;
  MINIK_ASSIGN(pool.name, r.text(v, at, "name", "node"));
  MINIK_ASSIGN(pool.count, r.number(v, at, "count", 1, 1, 65'000));
  const Value& capacity = v.get("capacity");
  const std::string capacity_at = at + ".capacity";
  if (capacity.has_value()) MINIK_TRY(r.only(capacity, capacity_at, {"cpu", "memory", "pods", "ephemeral-storage"}));
  MINIK_ASSIGN(const auto cpu, r.quantity_within(capacity, capacity_at, "cpu", "8", "1m", kCpuMax));
  MINIK_ASSIGN(const auto memory, r.quantity_within(capacity, capacity_at, "memory", "32Gi", "1Mi", kMemoryMax));
  // Each has an address of the machine's 253.
  MINIK_ASSIGN(const auto pods, r.quantity_within(capacity, capacity_at, "pods", "110", "0", "250"));
  MINIK_ASSIGN(const auto disk, r.quantity_within(capacity, capacity_at, "ephemeral-storage", "100Gi", "1Gi", "1Pi"));
  pool.disk_bytes = disk.units();
  pool.milli_cpu = cpu.milli();
  pool.memory_bytes = memory.units();
  pool.pods_max = pods.units();
  MINIK_TRY(read_eviction_hard(r, v, at, pool.eviction_hard));
  MINIK_ASSIGN(pool.labels, r.text_map(v, at, "labels"));
  MINIK_ASSIGN(pool.zones, r.texts(v, at, "zones"));
  pool.taints = v.get("taints");
  MINIK_ASSIGN(pool.clock_skew, r.signed_distribution(v, at, "clockSkew"));
  MINIK_TRY(check_nodes(r, at, pool));
  return pool;
}

namespace {

Status read_crash(const Reader& r, const Value& v, const std::string& at, ImageBehaviour& image) {
  if (!v.has_value()) return {};
  MINIK_TRY(r.only(v, at, {"atStart", "after", "exitCode"}));
  MINIK_ASSIGN(image.crash_at_start, r.chance(v, at, "atStart", 0));
  if (v.contains("after")) {
    MINIK_ASSIGN(image.crash_after, r.distribution(v, at, "after", {}));
  }
  MINIK_ASSIGN(const auto code, r.number(v, at, "exitCode", 1, 0, 255));
  image.crash_code = static_cast<int>(code);
  return {};
}

// 10Mi, or {min: 1Mi, max: 10Mi}.
Result<ByteSpread> read_bytes(const Reader& r, const Value& v, const std::string& at, std::string_view name) {
  const Value& value = v.get(name);
  const std::string here = cat(at, ".", name);
  ByteSpread spread;
  if (value.is_map()) {
    MINIK_TRY(r.only(value, here, {"min", "max"}));
    if (!value.contains("min") || !value.contains("max")) return r.error(here, "needs min and max, between which it is drawn");
    MINIK_ASSIGN(const auto min, r.quantity(value, here, "min", "0"));
    MINIK_ASSIGN(const auto max, r.quantity(value, here, "max", "0"));
    spread = {min.units(), max.units()};
  } else {
    MINIK_ASSIGN(const auto bytes, r.quantity(v, at, name, "0"));
    spread = {bytes.units(), bytes.units()};
  }
  if (spread.min < 0 || spread.max > kDiskBytesMax) return r.error(here, "must be between 0 and 1Pi");
  if (spread.min > spread.max) return r.error(here, "has a min above its max");
  return spread;
}

Status read_uses(const Reader& r, const Value& v, const std::string& at, ImageBehaviour& image) {
  if (!v.has_value()) return {};
  MINIK_TRY(r.only(v, at, {"cpu", "memory", "memoryGrowthPerSecond", "disk", "diskGrowthPerSecond",
                           "logGrowthPerSecond", "volumeGrowthPerSecond", "cpuPerRequest", "memoryPerRequest"}));
  MINIK_ASSIGN(const auto cpu, r.quantity_within(v, at, "cpu", "0", "0", kCpuMax));
  MINIK_ASSIGN(const auto memory, r.quantity_within(v, at, "memory", "0", "0", kMemoryMax));
  MINIK_ASSIGN(const auto growth, r.quantity_within(v, at, "memoryGrowthPerSecond", "0", "0", kMemoryMax));
  MINIK_ASSIGN(image.disk_bytes, read_bytes(r, v, at, "disk"));
  MINIK_ASSIGN(image.disk_growth_bytes, read_bytes(r, v, at, "diskGrowthPerSecond"));
  MINIK_ASSIGN(image.log_growth_bytes, read_bytes(r, v, at, "logGrowthPerSecond"));
  MINIK_ASSIGN(image.volume_growth_bytes, read_bytes(r, v, at, "volumeGrowthPerSecond"));
  MINIK_ASSIGN(image.cpu_per_request, r.duration(v, at, "cpuPerRequest", {}));
  MINIK_ASSIGN(const auto per_request, r.quantity_within(v, at, "memoryPerRequest", "0", "0", "1Gi"));
  image.milli_cpu = cpu.milli();
  image.memory_bytes = memory.units();
  image.memory_growth_bytes = growth.units();
  image.memory_per_request_bytes = per_request.units();
  return {};
}

Status read_needs(const Reader& r, const Value& v, const std::string& at, ImageBehaviour& image) {
  if (!v.has_value()) return {};
  MINIK_TRY(r.only(v, at, {"dns", "service", "api", "else", "cpu"}));
  MINIK_ASSIGN(image.needs_dns, r.boolean(v, at, "dns"));
  MINIK_ASSIGN(image.needs_service, r.text(v, at, "service", ""));
  if (!image.needs_service.empty() && image.needs_service.find('/') == std::string::npos) {
    image.needs_service = "default/" + image.needs_service;
  }
  MINIK_ASSIGN(image.needs_api, r.boolean(v, at, "api"));
  if (!image.needs_dns && !image.needs_api && image.needs_service.empty()) return r.error(at, "needs `dns: true`, `api: true` or a service");
  if (image.needs_api && image.lists.empty()) return r.error(at + ".api", "stands beside `asks`: by its answers it knows the API server");
  MINIK_ASSIGN(const auto otherwise, r.word(v, at, "else", {"notReady", "crash", "spin"}, 0));
  image.crashes_without = otherwise == 1;
  if (v.contains("cpu") != (otherwise == 2)) return r.error(at, "needs `cpu` beside `else: spin`, and only there: what it wants while it spins");
  MINIK_ASSIGN(const auto cpu, r.quantity_within(v, at, "cpu", "0", "0", kCpuMax));
  image.spin_milli_cpu = cpu.milli();
  return {};
}

Status read_asks(const Reader& r, const Value& v, const std::string& at, ImageBehaviour& image) {
  if (!v.has_value()) return {};
  MINIK_TRY(r.only(v, at, {"list", "every"}));
  MINIK_ASSIGN(const auto names, r.texts(v, at, "list"));
  for (const auto& name : names) {
    MINIK_ASSIGN(const auto kind, r.kind(at + ".list", name));
    image.lists.push_back(kind);
  }
  if (image.lists.empty()) return r.error(at, "needs list: the kinds whose objects it asks for");
  MINIK_ASSIGN(image.list_period, r.duration(v, at, "every", seconds(30)));
  if (image.list_period < milliseconds(100)) return r.error(at + ".every", "must be at least 100ms");
  return {};
}

}  // namespace

Result<ImageBehaviour> read_image(const Reader& r, const Value& v, const std::string& at) {
  MINIK_TRY(r.only(v, at, {"match", "pull", "preloaded", "missing", "size", "start", "startError", "ready", "neverReady", "stop",
                           "ignoresSigterm", "exitAfter", "exitCode", "crash", "uses", "load", "capacity", "asks", "needs"}));
  ImageBehaviour image;
  MINIK_ASSIGN(image.match, r.text(v, at, "match", "*"));
  MINIK_ASSIGN(image.pull, r.distribution(v, at, "pull", image.pull));
  MINIK_ASSIGN(image.start, r.distribution(v, at, "start", image.start));
  MINIK_ASSIGN(image.ready, r.distribution(v, at, "ready", image.ready));
  MINIK_ASSIGN(image.stop, r.distribution(v, at, "stop", image.stop));
  MINIK_ASSIGN(image.preloaded, r.boolean(v, at, "preloaded"));
  MINIK_ASSIGN(image.missing, r.boolean(v, at, "missing"));
  if (v.contains("size")) {
    MINIK_ASSIGN(const auto size, r.quantity(v, at, "size", "0"));
    image.image_bytes = size.units();
    if (image.image_bytes < 1 || image.image_bytes > kDiskBytesMax)
      return r.error(at + ".size", "must be between 1 and 1Pi: what it takes of a disk");
  }
  MINIK_ASSIGN(image.never_ready, r.boolean(v, at, "neverReady"));
  MINIK_ASSIGN(image.ignores_sigterm, r.boolean(v, at, "ignoresSigterm"));
  MINIK_ASSIGN(image.start_error, r.text(v, at, "startError", ""));
  if (v.contains("exitAfter")) {
    MINIK_ASSIGN(image.exit_after, r.distribution(v, at, "exitAfter", {}));
  }
  MINIK_ASSIGN(const auto code, r.number(v, at, "exitCode", 0, 0, 255));
  image.exit_code = static_cast<int>(code);
  MINIK_TRY(read_crash(r, v.get("crash"), at + ".crash", image));
  MINIK_TRY(read_uses(r, v.get("uses"), at + ".uses", image));
  MINIK_TRY(read_asks(r, v.get("asks"), at + ".asks", image));
  MINIK_TRY(read_needs(r, v.get("needs"), at + ".needs", image));
  const Value& load = v.get("load");
  if (load.has_value()) MINIK_TRY(r.only(load, at + ".load", {"cpu", "requests"}));
  MINIK_ASSIGN(const auto cpu, r.quantity_within(load, at + ".load", "cpu", "0", "0", kCpuMax));
  image.load_milli_cpu = cpu.milli();
  MINIK_ASSIGN(image.load_requests, r.number(load, at + ".load", "requests", 0, 0, 1'000'000'000));
  MINIK_ASSIGN(image.capacity_requests, r.number(v, at, "capacity", 0, 1, 1'000'000'000));
  return image;
}

}  // namespace minik::sim
