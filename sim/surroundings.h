// Surroundings: what all machines of a simulated cluster share and none of them decides: how images behave, the
// load on them, the registry, names and services. Owned by the cluster, which faults change; machines read it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/result.h"
#include "control/base/time.h"
#include "sim/image_behaviour.h"

namespace minik::sim {

class SimulatedRuntime;

// The load of one image at a moment, and who shares it.
struct ImageLoad {
  int64_t milli_cpu = 0;
  int64_t requests = 0;

  explicit ImageLoad(int64_t cpu = 0, int64_t requests_per_s = 0) : milli_cpu(cpu), requests(requests_per_s) {}
  // A container on this machine begins or ceases to share it.
  void add(SimulatedRuntime* machine);
  void remove(SimulatedRuntime* machine);
  // How many containers share it.
  int64_t running() const { return running_; }
  // Before it or the number of its containers changes: what they have used until now is counted.
  void settle() const;

 private:
  // How many of them each machine has. In the order of addresses: what one counts does not touch another.
  std::map<SimulatedRuntime*, int64_t> on_;
  int64_t running_ = 0;
};

struct RegistryTrouble {
  std::string match;
  int64_t pulls_per_minute = 0;  // 0: no answer
};

struct Surroundings {
  std::vector<ImageBehaviour> images;
  std::vector<ImageLoad> loads;  // one for each image
  Distribution sandbox_time{milliseconds(20), milliseconds(80)};
  std::vector<RegistryTrouble> registry;
  bool dns_answers = true;
  bool names_known = true;  // the name servers have heard from the API server lately, or keep names that long
  // Whether a Service has a ready endpoint, by "namespace/name".
  std::function<bool(const std::string&)> service_answers;
  // A container of this node asks the API server for all objects of a kind, with this token.
  using Answered = std::function<void(const Status&)>;
  std::function<void(const std::string& node, control::KindId, const std::string& token, Answered)> ask;
  // Of the registry: the pulls of the minute that runs.
  Instant minute;
  int64_t pulls_of_minute = 0;

  // Some image says what CPU it wants, so that machines may have too little of it.
  bool wants_cpu = false;
  bool uses_memory = false;  // likewise of memory
  bool asks = false;  // some image asks the API server
  bool writes = false;  // some image writes to its machine's disk, or is as large as somebody has said

  explicit Surroundings(std::vector<ImageBehaviour> of_images) : images(std::move(of_images)) {
    for (const auto& image : images) {
      loads.emplace_back(image.load_milli_cpu, image.load_requests);
      wants_cpu |= image.milli_cpu > 0 || image.spin_milli_cpu > 0;
      uses_memory |= image.uses_memory();
      asks |= !image.lists.empty();
      writes |= image.writes() || image.image_bytes != ImageBehaviour().image_bytes;
    }
  }
  // A pull begins: it may, or this is what the registry says.
  Status admit_pull(std::string_view reference, Instant now);
};

}  // namespace minik::sim
