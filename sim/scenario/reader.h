// Reader: walks one YAML document with the place of everything at hand, so that every complaint names file:line,
// the path, and what is known there. Pure; lives as long as the parse.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/result.h"
#include "control/base/text.h"
#include "control/object/quantity.h"
#include "control/object/yaml.h"
#include "sim/custom_kinds.h"
#include "sim/distribution.h"
#include "sim/node_pool.h"
#include "sim/selection.h"

namespace minik::sim {

class Reader {
 public:
  Reader(const control::YamlDocument& document, std::string file) : document_(document), file_(std::move(file)) {}

  std::string place(const std::string& path) const;
  Error error(const std::string& path, std::string_view what) const;
  static std::string child(const std::string& path, std::string_view name) {
    return path.empty() ? std::string(name) : cat(path, ".", name);
  }

  // A mapping without other fields than these.
  Status only(const control::Value& map, const std::string& path, const std::vector<std::string_view>& known) const;

  // Fields of a mapping; the fallback where there is none.
  Result<std::string> text(const control::Value& map, const std::string& path, std::string_view name,
                           std::string fallback) const;
  Result<int64_t> number(const control::Value& map, const std::string& path, std::string_view name, int64_t fallback,
                         int64_t min = 0, int64_t max = INT64_MAX) const;
  Result<bool> boolean(const control::Value& map, const std::string& path, std::string_view name) const;
  Result<Duration> duration(const control::Value& map, const std::string& path, std::string_view name,
                            Duration fallback) const;
  Result<Duration> signed_duration(const control::Value& map, const std::string& path, std::string_view name,
                                   Duration fallback) const;
  Result<control::Quantity> quantity(const control::Value& map, const std::string& path, std::string_view name,
                                     std::string_view fallback) const;
  // The bounds as they are to be read.
  Result<control::Quantity> quantity_within(const control::Value& map, const std::string& path, std::string_view name,
                                            std::string_view fallback, std::string_view min, std::string_view max) const;
  // "5%", "0.1%", or a number of 0 or 1: parts per million.
  Result<uint32_t> chance(const control::Value& map, const std::string& path, std::string_view name,
                          uint32_t fallback) const;
  // One of a few words; `words[i]` is the i-th.
  Result<size_t> word(const control::Value& map, const std::string& path, std::string_view name,
                      const std::vector<std::string_view>& words, size_t fallback) const;
  Result<std::vector<std::string>> texts(const control::Value& map, const std::string& path,
                                         std::string_view name) const;
  Result<std::map<std::string, std::string>> text_map(const control::Value& map, const std::string& path,
                                                      std::string_view name) const;

  // One duration, {min, max}, {exponential: {mean}}, {normal: {mean, deviation}}, {logNormal: {median, p99}} or
  // {choice: [{weight, of}]}. Signed ones, as a clock's skew, are fixed or {min, max}.
  Result<Distribution> distribution(const control::Value& map, const std::string& path, std::string_view name,
                                    Distribution fallback) const;
  Result<Distribution> signed_distribution(const control::Value& map, const std::string& path,
                                           std::string_view name) const;

  Result<control::KindId> kind(const std::string& path, std::string_view name) const;
  Result<ObjectReference> reference(const control::Value& map, const std::string& path) const;
  Result<control::LabelSelector> labels(const control::Value& map, const std::string& path) const;
  Result<ObjectSelection> selection(const control::Value& map, const std::string& path) const;
  // The machines that names of nodes are checked against from now on; without them any name will do.
  void know_pools(const std::vector<NodePool>& pools) { pools_ = pools; }
  void know_definitions(std::vector<CustomDefinition> definitions) { definitions_ = std::move(definitions); }
  const std::vector<CustomDefinition>& definitions() const { return definitions_; }
  // The entries of `images`, by their patterns; without them any will do.
  void know_images(std::vector<std::string> patterns) { images_ = std::move(patterns); }
  const std::optional<std::vector<std::string>>& images() const { return images_; }
  // "controllers", "scheduler" or a controller's name, in its full form.
  Result<std::string> component(const std::string& path, std::string_view name) const;
  // The same, "nodes", or the name of a node.
  Result<std::string> component_or_node(const std::string& path, std::string_view name) const;

  // `all`, or a mapping of names, pool, zone, count.
  Result<NodeChoice> nodes(const control::Value& value, const std::string& path,
                           std::initializer_list<std::string_view> more_fields = {}) const;

 private:
  Result<Distribution> distribution_at(const control::Value& value, const std::string& at, int depth,
                                       Distribution fallback) const;

  const control::YamlDocument& document_;
  std::string file_;
  std::vector<NodePool> pools_;
  std::vector<CustomDefinition> definitions_;
  std::optional<std::vector<std::string>> images_;
};

// Each item of a list through `read(item, path)`.
template <typename T, typename Read>
Status read_list(const Reader& r, const control::Value& list, const std::string& at, std::vector<T>& into, Read read) {
  if (!list.has_value()) return {};
  if (!list.is_array()) return r.error(at, "must be a list");
  for (size_t i = 0; i < list.size(); ++i) {
    Result<T> item = read(list.items()[i], cat(at, "[", i, "]"));
    if (!item) return std::move(item).error();
    into.push_back(*std::move(item));
  }
  return {};
}

}  // namespace minik::sim
