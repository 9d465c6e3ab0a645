// Evaluates expressions over one small pod and prints what comes out, for tables of expectations.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "control/cel/program.h"
#include "control/object/json.h"

namespace minik::control::cel {

inline const Value& sample_pod() {
  static const Value pod = *parse_json(R"({
    "metadata": {"name": "web-1", "labels": {"app": "web", "tier": "front"}},
    "spec": {"replicas": 3, "nodeName": null, "ratio": 0.5, "containers": [
      {"name": "a", "image": "nginx:1.25", "ports": [80, 443]},
      {"name": "b", "image": "redis:7", "resources": {"limits": {"cpu": "500m"}}}]}})");
  return pod;
}

inline const Environment& sample_environment() {
  static const Environment environment(
      {{"object", Type()},
       {"number", Kind::kInt},
       {"words", Type::list(Kind::kString)},
       {"typed", Type::object("Thing", {{"since", Kind::kTimestamp},
                                        {"data", Kind::kBytes},
                                        {"name", Kind::kString},
                                        {"namespace", Kind::kString}})}});
  return environment;
}

inline std::vector<Datum> sample_bindings() {
  static const Value words = *parse_json(R"(["x", "y"])");
  static const Value typed = *parse_json(
      R"({"since": "2026-01-02T03:04:05Z", "data": "aGk=", "name": "n", "namespace": "ns"})");
  return {Datum::document(sample_pod()), Datum::integer(7), Datum::document(words),
          Datum::document(typed)};
}

// The result as text, or "error: …", or "compile: …" with the first line of the first error.
inline std::string evaluate_text(std::string_view expression) {
  const auto program = Program::compile(expression, sample_environment());
  if (!program)
    return "compile: " + program.error().message.substr(0, program.error().message.find('\n'));
  Budget budget;
  const auto result = program->evaluate(sample_bindings(), budget);
  return result ? result->display() : "error: " + result.error().message;
}

struct Expected {
  std::string_view expression, text;
};

inline void expect_all(std::initializer_list<Expected> table) {
  for (const auto& [expression, text] : table)
    EXPECT_EQ(evaluate_text(expression), text) << expression;
}

}  // namespace minik::control::cel
