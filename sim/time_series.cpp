#include "sim/time_series.h"

#include <algorithm>

#include "control/base/check.h"

namespace minik::sim {

TimeSeries::TimeSeries(size_t rows_max) : rows_max_(std::max<size_t>(2, rows_max)) {}

size_t TimeSeries::add_column(Column what) {
  columns_.push_back(what);
  return columns_.size() - 1;
}

int64_t TimeSeries::value(size_t row, size_t column) const {
  return column < rows_[row].size() ? rows_[row][column] : 0;
}

namespace {

// The later of two neighbours takes up the earlier.
void merge(const std::vector<TimeSeries::Column>& columns, std::vector<int64_t>& earlier, std::vector<int64_t>& later) {
  earlier.resize(columns.size());
  later.resize(columns.size());
  const bool dip = !columns.empty() && columns[0] == TimeSeries::Column::kGauge && earlier[0] < later[0];
  for (size_t i = 0; i < columns.size(); ++i) {
    if (columns[i] == TimeSeries::Column::kCount) {
      later[i] += earlier[i];
    } else if (dip) {
      later[i] = earlier[i];
    }
  }
}

}  // namespace

void TimeSeries::add_row(Duration at, std::vector<int64_t> values) {
  CHECK(values.size() == columns_.size()) << values.size() << " values for " << columns_.size() << " columns";
  if (in_step_ > 0) {
    merge(columns_, rows_.back(), values);
    rows_.back() = std::move(values);
    at_.back() = at;
  } else {
    rows_.push_back(std::move(values));
    at_.push_back(at);
  }
  in_step_ = (in_step_ + 1) % step_;
  if (in_step_ == 0 && rows_.size() >= rows_max_) halve();
}

void TimeSeries::halve() {
  size_t kept = 0;
  for (size_t i = 1; i < rows_.size(); i += 2, ++kept) {
    merge(columns_, rows_[i - 1], rows_[i]);
    rows_[kept] = std::move(rows_[i]);
    at_[kept] = at_[i];
  }
  if (rows_.size() % 2 == 1) {
    rows_[kept] = std::move(rows_.back());
    at_[kept++] = at_.back();
  }
  rows_.resize(kept);
  at_.resize(kept);
  step_ *= 2;
}

}  // namespace minik::sim
