// Exports and audit logs of strangers' clusters: what is imported must be a valid scenario. The bytes up to the
// first 0x00 are the objects, the rest is the audit log.
#include <cstdint>
#include <string_view>

#include "control/base/check.h"
#include "sim/import/import.h"
#include "sim/scenario.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace minik::sim;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const size_t cut = bytes.find('\0');
  ImportSources sources;
  sources.objects = {"objects", std::string(bytes.substr(0, cut))};
  if (cut != std::string_view::npos) sources.audit = ImportText{"audit", std::string(bytes.substr(cut + 1))};
  const auto imported = import_scenario(sources);
  if (!imported) return 0;
  // What the exported objects say of pools may be nonsense (a million CPUs), but never a file that cannot be read.
  const auto scenario = parse_scenario(imported->yaml, "imported");
  CHECK(scenario.ok() || !scenario.error().message.empty());
  return 0;
}
