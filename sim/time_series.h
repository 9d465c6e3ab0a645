// TimeSeries: rows of numbers over virtual time, of bounded size however long the run is.
//
// A row is taken at every step of a grid; when there are too many, two become one and the grid twice as
// coarse. Of two gauges' rows the one with the lower first column stays (a dip is what people look for);
// columns that count something in their step are added up. Columns may come later; they are 0 before.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/base/time.h"

namespace minik::sim {

class TimeSeries {
 public:
  enum class Column : uint8_t { kGauge, kCount };

  explicit TimeSeries(size_t rows_max = 1'024);
  // Its number.
  size_t add_column(Column what);
  // Values of all columns; a kCount column's since the last row that was handed in.
  void add_row(Duration at, std::vector<int64_t> values);

  size_t rows() const { return at_.size(); }
  Duration at(size_t row) const { return at_[row]; }
  int64_t value(size_t row, size_t column) const;

 private:
  void halve();

  size_t rows_max_;
  size_t step_ = 1, in_step_ = 0;  // rows handed in for each one kept, and so far for the last
  std::vector<Column> columns_;
  std::vector<Duration> at_;
  std::vector<std::vector<int64_t>> rows_;
};

}  // namespace minik::sim
