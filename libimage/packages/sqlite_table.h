/// Rows of one table of an SQLite database file, read without SQLite: what rpm's database needs and
/// no more (docs/design/0019-attestations.md).
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "libimage/packages/tree.h"

namespace lade::packages {

/// NULL, a whole number, a text or blob; other numbers are read as NULL.
using SqliteValue = std::variant<std::monostate, std::int64_t, std::string>;

/// Calls `row` for each row of `table`, in the order of row ids, with its columns as stored (an
/// INTEGER PRIMARY KEY is stored as NULL). Every page is read at most once, so that a file costs
/// what its size says. Error{invalid_content} for what is no such file or damaged, Error{not_found}
/// without such a table, Error{limit_exceeded} for a file above 1 GiB.
void for_each_sqlite_row(File& database, std::string_view table,
                         const std::function<void(const std::vector<SqliteValue>&)>& row);

}  // namespace lade::packages
