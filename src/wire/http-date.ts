/**
 * IMF-fixdate from a number, without a clock: `Sun, 06 Nov 1994 08:49:37 GMT`.
 * Source: RFC 9110 5.6.7; the civil calendar is counted in 400-year eras of 146,097 days.
 */
const DAYS = ['Thu', 'Fri', 'Sat', 'Sun', 'Mon', 'Tue', 'Wed']
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** @param wallClockMs milliseconds since 1970, 0 to the year 9999 */
export function formatHttpDate(wallClockMs: number): string {
  const seconds = Math.floor(wallClockMs / 1000)
  const days = Math.floor(seconds / 86_400)
  const { year, month, day } = civilDate(days)
  const two = (value: number): string => String(value).padStart(2, '0')
  const time = [Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, seconds % 60]
    .map(two)
    .join(':')
  const date = `${two(day)} ${MONTHS[month - 1]!} ${String(year).padStart(4, '0')}`
  return `${DAYS[days % 7]!}, ${date} ${time} GMT`
}

/** Counts years from March, so that the leap day is a year's last. */
function civilDate(daysSince1970: number): { year: number; month: number; day: number } {
  const days = daysSince1970 + 719_468
  const era = Math.floor(days / 146_097)
  const dayOfEra = days - era * 146_097
  const leapDays =
    Math.floor(dayOfEra / 1460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096)
  const yearOfEra = Math.floor((dayOfEra - leapDays) / 365)
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153)
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
  const day = dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day }
}
