// Program: one expression of the Common Expression Language, compiled once and evaluated many
// times.
//
//   static const Environment environment({{"object", Type()}, {"replicas", Kind::kInt}});
//   MINIK_ASSIGN(const auto program, Program::compile("object.spec.replicas <= replicas",
//   environment)); const std::vector<Datum> bindings = {Datum::document(object),
//   Datum::integer(5)}; MINIK_ASSIGN(const bool holds, program.evaluate_bool(bindings));
//
// Compilation errors carry line and column and read as cel-go's. An evaluation that fails (a
// missing key, an overflow) or costs more than it may is an Error too: the language knows no other
// outcome, and the caller decides what a failure means (Kubernetes: the rule does not hold).
//
// Deterministic: no clock, no chance, no order but that of lists and sorted maps. A Program never
// changes once made; any thread may evaluate it. Expressions cannot loop and every step has a cost,
// so an evaluation ends after at most Budget::limit steps.
//
// Supported: cel-spec's standard library and macros, two-variable macros, optional values,
// Kubernetes' libraries and the objects of mutating policies. Not: messages of protocol buffers.
// Costs are cel-go's where README.md of this folder says nothing else.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/result.h"
#include "control/cel/datum.h"
#include "control/cel/limits.h"
#include "control/cel/type.h"

namespace minik::control::cel {

struct Variable {
  std::string name;
  Type type;  // dyn for documents without a schema
};

// Which objects expressions of a place may make: those of mutating policies Object{…}, Object.spec{…} and so on,
// whose fields may be anything, and JSONPatch{op, path, from, value}.
enum class ObjectForms : uint8_t { kNone, kMutations };
const Type& json_patch_type();

// The variables that expressions of one place may name, in the order of their bindings.
class Environment {
 public:
  explicit Environment(std::vector<Variable> variables, ObjectForms objects = ObjectForms::kNone)
      : variables_(std::move(variables)), objects_(objects) {}
  const std::vector<Variable>& variables() const { return variables_; }
  ObjectForms objects() const { return objects_; }

 private:
  std::vector<Variable> variables_;
  ObjectForms objects_;
};

// What evaluations may cost; shared by all that it is handed to.
struct Budget {
  uint64_t limit = kCostMax;
  uint64_t spent = 0;
};

struct Tree;

class Program {
 public:
  // `wanted` is what the expression must yield; dyn takes anything.
  static Result<Program> compile(std::string_view expression, const Environment& environment,
                                 const Type& wanted = {});

  const std::string& source() const;
  const Type& type() const;
  // For those who look at the expression itself (syntax.h, cost_estimate.h).
  const Tree& tree() const { return *tree_; }

  // One binding for each variable of the environment.
  Result<Datum> evaluate(std::span<const Datum> bindings, Budget& budget) const;
  Result<bool> evaluate_bool(std::span<const Datum> bindings) const;

 private:
  explicit Program(std::shared_ptr<const Tree> tree) : tree_(std::move(tree)) {}
  std::shared_ptr<const Tree> tree_;
};

}  // namespace minik::control::cel
