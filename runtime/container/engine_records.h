// What an engine keeps of its sandboxes (config) and containers (meta) in a file each. Their phases are not in there: the
// world says what runs. Reading fails with kInvalid for anything that writing has not made.
#pragma once

#include <string>
#include <string_view>

#include "control/base/result.h"
#include "runtime/container/engine.h"

namespace minik::runtime {

std::string encode(const SandboxInfo& info);
Result<SandboxInfo> decode_sandbox(std::string_view bytes);
std::string encode(const ContainerInfo& info);
Result<ContainerInfo> decode_container(std::string_view bytes);

}  // namespace minik::runtime
