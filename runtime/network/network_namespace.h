// Network namespaces that are kept by files: made on a thread of their own and bound to a path, so
// that they live as long as the file does and are found again by the next start.
// network_namespaces(7).
#pragma once

#include <functional>
#include <string>

#include "control/base/result.h"

namespace minik::runtime {

// Idempotent: an existing one is kept. Its loopback is up.
Status create_network_namespace(const std::string& path);
Status remove_network_namespace(const std::string& path);  // missing is fine
bool is_network_namespace(const std::string& path);

// Runs the function on a fresh thread inside the namespace and waits for it. Sockets that it opens
// stay in that namespace whoever uses them afterwards.
Status run_in_network_namespace(const std::string& path, const std::function<Status()>& work);

}  // namespace minik::runtime
