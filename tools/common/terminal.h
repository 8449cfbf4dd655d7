#pragma once
#include <cstddef>
#include <string_view>

namespace lade::tools {

/// Writes data to standard output; a closed pipe or a full disk throws Error{io}.
void print(std::string_view text);

/// Writes to standard error, never failing.
void print_error(std::string_view text) noexcept;

enum class Stream { output, error };
bool is_terminal(Stream stream) noexcept;

/// True if standard input is a terminal.
bool has_terminal_input() noexcept;

/// True if standard input and standard error are a terminal.
bool has_own_terminal() noexcept;

/// Columns of the terminal behind `stream`; `fallback` where there is none.
std::size_t terminal_width(Stream stream, std::size_t fallback) noexcept;
/// Its rows.
std::size_t terminal_height(Stream stream, std::size_t fallback) noexcept;

}  // namespace lade::tools
