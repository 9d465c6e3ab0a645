// The user's kubeconfig: putting a cluster's entries in, and taking them out again, without
// touching anything else that stands there.
//
// Where: $KUBECONFIG (a list; the first file that exists, else the last) or ~/.kube/config, as
// kubectl writes. How: under client-go's lock file (<file>.lock), written whole, with the mode and
// owner that the file had (0600 when new). Fields that we do not know stay; the quoting of values
// keeps its meaning; comments are lost. A file that is not a kubeconfig is left alone with an error
// that says so.
//
// Blocking; one caller at a time in a process.
#pragma once

#include <string>

#include "control/base/result.h"

namespace minik {

struct KubeconfigEntry {
  std::string name;    // of the cluster, the user and the context
  std::string server;  // https://127.0.0.1:6443
  std::string ca_pem;
  std::string client_certificate_pem;
  std::string client_key_pem;
};

// From the environment of the process. kNotFound when there is neither $KUBECONFIG nor $HOME.
Result<std::string> kubeconfig_path();

enum class CurrentContext { kKeep, kSwitch };

// Adds the entries or replaces those of the same name; kSwitch makes it the current context.
Status add_to_kubeconfig(const std::string& path, const KubeconfigEntry& entry,
                         CurrentContext current);

// Takes the entries out; a current-context that named them becomes `then`. Fine when nothing is
// there.
Status remove_from_kubeconfig(const std::string& path, const std::string& name,
                              const std::string& then = "");

// Empty when there is none, or no file that says so.
std::string current_context(const std::string& path);

}  // namespace minik
