// The cores of a rank, which comm owns.
#pragma once

#include "comm/cores.h"
