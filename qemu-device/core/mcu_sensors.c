// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sensors: a small physical model of a 910B-like board. Power follows what the engines do, the
 * temperature follows the power with the time constant of die and heat sink.
 */
#include "mcu.h"

#define HBM_CLOCK_MHZ 1600
#define HBM_BANDWIDTH_MBPS 1600000

#define POWER_IDLE_MW 92000.0
#define POWER_CUBE_MW 190000.0
#define POWER_VECTOR_MW 60000.0
#define POWER_SCALAR_MW 28000.0
#define POWER_HBM_MW 30000.0
#define POWER_SMOOTH_NS 50e6 /* of the regulator's current sensor */

#define AMBIENT_MC 32000 /* unless set otherwise */
#define RESISTANCE_MC_PER_MW 0.11
#define THERMAL_NS 8e9

#define VOLTAGE_MV 800.0
#define DROOP_MV 24.0 /* of the load line at the power limit */
#define POWER_LIMIT_MW 400000.0

#define UPDATE_NS 1000000 /* shorter spans tell nothing */

/* Where the die's temperature comes to rest at @power_mw. */
static double settled_temperature(struct npu_mcu *mcu, double power_mw)
{
	return npu_load(&mcu->sensors.ambient_mc) + power_mw * RESISTANCE_MC_PER_MW;
}

/* One step of a first-order lag with time constant @tau; stable for any step. */
static double approach(double from, double to, double step, double tau)
{
	return from + (to - from) * step / (step + tau);
}

static uint32_t hbm_mbps(struct npu_core *core)
{
	return core->timing ? core->timing->profile->hbm_mbps : HBM_BANDWIDTH_MBPS;
}

static double share(uint64_t part, double whole)
{
	return npu_min(part / whole, 1.0);
}

static double load_power(struct npu_core *core, const struct npu_counters *now,
			 const struct npu_counters *then, double ns)
{
	double core_ns = ns * core->cfg.cores;
	uint64_t bytes = now->hbm_read - then->hbm_read + now->hbm_write - then->hbm_write;
	double power = POWER_IDLE_MW;

	power += POWER_SCALAR_MW * share(now->aicore_ns - then->aicore_ns, core_ns);
	power += POWER_CUBE_MW * share(now->cube_ns - then->cube_ns, core_ns);
	power += POWER_VECTOR_MW * share(now->vector_ns - then->vector_ns, core_ns);
	power += POWER_HBM_MW * share(bytes, ns * hbm_mbps(core) / 1000);
	return npu_min(power, POWER_LIMIT_MW);
}

static void sensors_update(struct npu_mcu *mcu)
{
	struct npu_mcu_sensors *s = &mcu->sensors;
	uint64_t now = npu_timestamp(mcu->core);
	double ns = now - s->last;
	struct npu_counters count;

	if (now - s->last < UPDATE_NS)
		return;
	npu_counters_read(mcu->core, &count);
	s->power_mw = approach(s->power_mw, load_power(mcu->core, &count, &s->count, ns), ns,
			       POWER_SMOOTH_NS);
	s->temperature_mc = approach(s->temperature_mc, settled_temperature(mcu, s->power_mw), ns,
				     THERMAL_NS);
	s->count = count;
	s->last = now;
}

void npu_mcu_sensors_init(struct npu_mcu *mcu)
{
	mcu->sensors.ambient_mc = AMBIENT_MC;
	mcu->sensors.temperature_mc = settled_temperature(mcu, POWER_IDLE_MW);
}

/* The counters start at zero with a reset; the die stays as warm as it is. */
void npu_mcu_sensors_reset(struct npu_mcu *mcu)
{
	struct npu_mcu_sensors *s = &mcu->sensors;

	s->last = npu_timestamp(mcu->core);
	s->count = (struct npu_counters){ 0 };
	s->power_mw = POWER_IDLE_MW;
}

void npu_core_set_ambient(struct npu_core *core, uint32_t millidegrees)
{
	npu_store(&core->mcu->sensors.ambient_mc, millidegrees);
}

uint32_t npu_mcu_sensor_power(struct npu_mcu *mcu)
{
	sensors_update(mcu);
	return mcu->sensors.power_mw;
}

uint32_t npu_mcu_sensor_temperature(struct npu_mcu *mcu)
{
	sensors_update(mcu);
	return mcu->sensors.temperature_mc;
}

uint32_t npu_mcu_sensor_voltage(struct npu_mcu *mcu)
{
	sensors_update(mcu);
	return VOLTAGE_MV - DROOP_MV * mcu->sensors.power_mw / POWER_LIMIT_MW;
}

uint32_t npu_mcu_sensor_hbm_mhz(struct npu_mcu *mcu)
{
	return mcu->core->timing ? mcu->core->timing->profile->hbm_mhz : HBM_CLOCK_MHZ;
}

uint32_t npu_mcu_sensor_hbm_mbps(struct npu_mcu *mcu)
{
	return hbm_mbps(mcu->core);
}
