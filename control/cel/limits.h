// What an expression may be and cost, each with its reason.
#pragma once

#include <cstddef>
#include <cstdint>

namespace minik::control::cel {

// Kubernetes bounds rules by their estimated cost; ours also by length, before anything is parsed.
inline constexpr size_t kExpressionBytesMax = 64 * 1024;
// Of parentheses, calls and operators in each other. Parser, checker and evaluator recurse, so this
// is what bounds the stack; cel-go has the same number.
inline constexpr int kDepthMax = 250;
// Kubernetes' PerCallLimit: what one evaluation may cost.
inline constexpr uint64_t kCostMax = 1'000'000;
// Kubernetes' RuntimeCELCostBudget: what all expressions over one object may cost together.
inline constexpr uint64_t kCostBudget = 10'000'000;
// A question to the authorizer, which may read many roles: kube-apiserver's price.
inline constexpr uint64_t kAccessCost = 350'000;
// A text that an expression makes: join() and replace() multiply what they are given.
inline constexpr size_t kMadeTextBytesMax = 10 * 1024 * 1024;

// Parts of a list or map that an expression makes, counted through lists that share parts:
// comparing or printing one visits them all, and [x, x] around [x, x] doubles them at each turn.
inline constexpr uint64_t kMadePartsMax = 1'000'000;

}  // namespace minik::control::cel
