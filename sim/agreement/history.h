// What a watch tells of a world, real or simulated, and the form in which two worlds can be compared.
//
// An object's states become, path by path, the values that stood there one after the other: conditions by their type,
// containers by their name. What differs between any two runs is made equal: identities, times, addresses, drawn
// ends of names (objects with the same beginning are a group, whose members have no order), and counts, of which only
// the last one counts, because how many steps lead there is a matter of pace.
//
// What is not compared: Events, managed fields, which node a pod is on, in which words a registry or a kernel refused,
// and how long anything took. Plain values.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "control/object/value.h"

namespace minik::sim {

// One value after another at a path of an object, each with the number of the state in which it came.
struct Change {
  size_t state = 0;
  std::string value;  // JSON; "absent" where there is nothing
};

struct StateHistory {
  std::map<std::string, std::vector<Change>> paths;
  // Containers that ran, ended and ran again, how often being a matter of time, and those that ended at all.
  std::set<std::string> restarted, ended;
};

// By "Pod default/web-6d5f*": the histories of all objects of that name, of one in most cases.
using WorldHistory = std::map<std::string, std::vector<StateHistory>>;

class HistoryRecorder {
 public:
  // A state of an object, in the order in which the watch tells them. `kind` as in "Pod".
  void see(std::string_view kind, const control::Value& object);
  void see_deletion(std::string_view kind, const control::Value& object);

  WorldHistory history() const;

 private:
  struct Seen {
    std::string kind, name, group;
    std::vector<control::Value> states;
    bool deleted = false;
  };
  std::map<std::string, Seen> by_uid_;
};

// An object as both worlds can say it; `drawn` are names with drawn ends and what they become.
control::Value normal_form(const control::Value& object, const std::map<std::string, std::string>& drawn);

}  // namespace minik::sim
