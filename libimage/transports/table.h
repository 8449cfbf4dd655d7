/// The entries of the table, each defined in the file of its transport.
#pragma once
#include "libimage/store/store.h"

namespace lade {

Transport oci_transport();

}  // namespace lade
