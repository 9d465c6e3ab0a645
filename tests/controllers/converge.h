// Convergence: whatever happens to the controllers, the cluster ends where it ends without trouble.
//
// A case is a story: manifests and changes at virtual moments. It is told once without trouble, and the
// settled state is kept. Then it is told once for each seed while the controllers die around their writes,
// requests and answers get lost, lists come stale, and watches stall, overtake one another and end. When
// the trouble is over, the state must become that of the quiet run within `patience`, and stay it.
//
//   ConvergenceCase story;
//   story.changes = {{seconds(0), apply(kWeb)}, {seconds(20), merge_patch("deployments", "web", R"({…})")}};
//   expect_convergence(story);
//
// States are compared as text without what differs by chance: see settled_state(). 100 seeds, or as many
// as MINIK_SEEDS says, from MINIK_FIRST_SEED on (0); a failure names its seed. MINIK_SHOW_STATE=1 prints what the quiet run ends with. What it does not trouble:
// the machines, the API server and the scheduler, which other tests do.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/cluster.h"

namespace minik::sim {

struct Change {
  Duration at;  // since the cluster stood
  control::ApiRequest request;
};

struct ConvergenceCase {
  int64_t nodes = 3;
  std::vector<ImageBehaviour> images{ImageBehaviour{}};
  std::vector<Change> changes;
  // Anything else to do to the cluster at a moment: crash a node, say.
  std::vector<std::pair<Duration, std::function<void(SimulatedCluster&)>>> events;
  Duration trouble = seconds(90);   // it begins with the story
  Duration patience = minutes(15);  // after it
  // How the quiet run knows that it has settled: nothing but heartbeats for so long.
  Duration quiet = seconds(60);
  // Instead of settled_state().
  std::function<std::string(const control::Store&)> state;
};

// Requests of one change. `kind` is the plural; apply() creates each document of the text, in order.
std::vector<Change> apply_at(Duration at, std::string_view yaml);
Change merge_patch_at(Duration at, std::string_view kind, std::string name, std::string_view patch,
                      std::string namespace_ = "default");
Change delete_at(Duration at, std::string_view kind, std::string name, std::string namespace_ = "default");

// Every object but Events, Leases and Nodes, one a line, sorted. Without what chance or time decides:
// uids, revisions, generations, times, addresses, the node, restart counts, and the drawn end of generated names.
std::string settled_state(const control::Store& store);

// Fails the running test for each seed that does not converge; stops after the third.
void expect_convergence(const ConvergenceCase& story);

}  // namespace minik::sim
