"""What to do next with the slots of a stack. Pure: knows no process, reads no clock."""
