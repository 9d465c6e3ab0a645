// ConfigurationReader: what the readers of a KubeSchedulerConfiguration share: fields of the right type, fields that
// nobody knows, and complaints in Kubernetes' words.
//
// Lives as long as one document is read. A field of another type is a complaint and reads as its default, so that all
// that is wrong is said at once.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "control/scheduler/profile.h"
#include "control/schema/field_error.h"

namespace minik::control {

class ConfigurationReader {
 public:
  FieldErrors errors;

  // Complains of every field of the object that is not among these.
  void expect_only(const Value& object, std::initializer_list<std::string_view> known, const FieldPath& at);
  int64_t integer(const Value& object, std::string_view name, int64_t fallback, const FieldPath& at);
  bool boolean(const Value& object, std::string_view name, bool fallback, const FieldPath& at);
  std::string text(const Value& object, std::string_view name, std::string_view fallback, const FieldPath& at);
  // The items of a list; none, with a complaint, when it is something else.
  std::span<const Value> list(const Value& object, std::string_view name, const FieldPath& at);
  void complain_of_range(const FieldPath& at, int64_t value, std::string_view range);

  // The sentence about all that is wrong, or success.
  Status verdict() const;

 private:
  std::vector<std::string> unknown_fields_;
};

// The arguments of a profile's plugin (pluginConfig); `at` is the place of its entry.
void read_plugin_arguments(ConfigurationReader& reader, std::string_view plugin, const Value& arguments,
                           const FieldPath& at, Profile& profile);

}  // namespace minik::control
