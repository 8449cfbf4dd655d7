/// Numbers as Go spells them: 0x1F, 0b1, 0o7, 1_000, 1.5e3. Internal to libimage/template.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

namespace lade::templates {

/// nullopt: it is none, or one that int64 does not hold.
std::optional<std::int64_t> integer_literal(std::string text);

/// Decimal ones with a point or an exponent; nullopt for all others.
std::optional<double> real_literal(std::string text);

}  // namespace lade::templates
